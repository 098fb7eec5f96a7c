"""OpenVINO on the CPU: the fastest for dense convolutions, in the precision that the processor really has."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from export.device import describe
from export.engine import EngineError, Feed, Precision, Recipe, Signature

SUFFIX = ".blob"
CALIBRATION_FRAMES = 32


class OpenVinoNetwork:
    """A `models.network.Network` in OpenVINO."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        self._inputs = compiled.inputs
        self._request = compiled.create_infer_request()
        self._outputs = [output.get_any_name() for output in compiled.outputs]

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self._request.infer(dict(feed), share_inputs=True)
        return {name: self._request.get_tensor(name).data.copy() for name in self._outputs}

    def initial_state(self) -> dict[str, NDArray[Any]]:
        named = {i.get_any_name(): i for i in self._inputs}
        return {n: np.zeros(tuple(i.shape), np.float32) for n, i in named.items() if n.startswith("state.")}


def native_precision() -> Precision:
    """The fastest precision that needs no calibration: bf16 where the processor computes in it.

    OpenVINO counts bf16 also where it emulates it, seven times slower than fp32, and where oneDNN is to do without.
    """
    instructions = describe("cpu")["capability"].split()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    allowed = limit in ("DEFAULT", "ALL") or "BF16" in limit or "FP16" in limit or "AMX" in limit
    reported = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if reported and allowed and any("bf16" in name for name in instructions) else "fp32"


def settings(recipe: Recipe) -> dict[str, Any]:
    """How a network is compiled. int8 is in the graph; the hint is for what is not quantized."""
    return {
        "INFERENCE_NUM_THREADS": recipe.threads,  # its own choice ignores the quotas of containers
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if recipe.precision == "bf16" else "f32",
    }


def compiled(onnx: Path, recipe: Recipe) -> OpenVinoNetwork:
    """A network straight from its portable file."""
    return OpenVinoNetwork(_compile(openvino.Core().read_model(str(onnx)), recipe))


def versions() -> dict[str, str]:
    """Of the libraries that the file depends on."""
    return {"openvino": openvino.__version__}


def build(onnx: Path, recipe: Recipe, feeds: Sequence[Feed], path: Path) -> None:
    """Write the compiled network."""
    model = openvino.Core().read_model(str(onnx))
    if recipe.precision == "int8":
        model = _quantized(model, feeds)
    elif recipe.precision == "fp16":
        raise EngineError("OpenVINO emulates fp16 on a CPU, which is slower than fp32: choose bf16 or fp32.")
    path.write_bytes(_compile(model, recipe).export_model().getvalue())


def load(path: Path, recipe: Recipe, signature: Signature) -> OpenVinoNetwork:
    """Run what `build` wrote."""
    return OpenVinoNetwork(openvino.Core().import_model(path.read_bytes(), "CPU", settings(recipe)))


def _compile(model: openvino.Model, recipe: Recipe) -> openvino.CompiledModel:
    return openvino.Core().compile_model(model, "CPU", settings(recipe))


def _quantized(model: openvino.Model, feeds: Sequence[Feed]) -> openvino.Model:
    """int8 weights and activations, their ranges taken from recorded frames."""
    try:
        import nncf
    except ImportError as error:
        raise EngineError("int8 needs the extra 'int8': pip install 'marotte[int8]'.") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    frames = [dict(feed) for feed in feeds[:: max(1, len(feeds) // CALIBRATION_FRAMES)]]
    # Mixed: activations after a ReLU have one sign.
    with redirect_stdout(StringIO()):  # it draws progress bars
        return nncf.quantize(
            model, nncf.Dataset(frames), preset=nncf.QuantizationPreset.MIXED, subset_size=CALIBRATION_FRAMES
        )
