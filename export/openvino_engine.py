"""OpenVINO on the CPU: the fastest for dense convolutions, in the precision that the processor really has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openvino
from numpy.typing import NDArray

from export.engine import Network


def load(onnx: Path, threads: int) -> Network:
    """See `export.engine.load`. bf16 is used where the processor has it: emulated it is four times slower than fp32."""
    core = openvino.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    compiled = core.compile_model(
        core.read_model(str(onnx)),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,  # its own choice ignores the quotas of containers
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if "BF16" in capabilities else "f32",
        },
    )
    request = compiled.create_infer_request()
    names = [output.get_any_name() for output in compiled.outputs]

    def run(feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        request.infer(dict(feed), share_inputs=True)
        return {name: request.get_tensor(name).data.copy() for name in names}

    return run
