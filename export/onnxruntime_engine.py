"""ONNX Runtime on the CPU: the lowest jitter for small networks, and the reference of all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.engine import EngineError, Feed, Recipe, Signature

SUFFIX = ".onnx"


class OnnxRuntimeNetwork:
    """A `models.network.Network` in ONNX Runtime, in fp32."""

    def __init__(self, onnx: Path, threads: int, optimized: Path | None = None) -> None:
        """Read a file; write the optimized graph to `optimized`, if given."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if optimized:
            options.optimized_model_filepath = str(optimized)
        self._session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feed)), strict=True))

    def initial_state(self) -> dict[str, NDArray[Any]]:
        inputs = (i for i in self._session.get_inputs() if i.name.startswith("state."))
        return {i.name: np.zeros(i.shape, np.float32) for i in inputs}

    def signature(self) -> Signature:
        """Names, types and shapes as the file states them."""
        described: list[dict[str, tuple[str, tuple[int, ...]]]] = [
            {
                value.name: (
                    value.type.removeprefix("tensor(").removesuffix(")").replace("float", "float32"),
                    tuple(size if isinstance(size, int) else -1 for size in value.shape),
                )
                for value in values
            }
            for values in (self._session.get_inputs(), self._session.get_outputs())
        ]
        return Signature(*described)


def versions() -> dict[str, str]:
    """Of the libraries that the file depends on."""
    return {"onnxruntime": onnxruntime.__version__}


def build(onnx: Path, recipe: Recipe, feeds: Sequence[Feed], path: Path) -> None:
    """Write the graph as ONNX Runtime has optimized it for this processor."""
    if recipe.precision != "fp32":
        raise EngineError(f"ONNX Runtime computes in fp32 on the CPU, not in {recipe.precision}.")
    OnnxRuntimeNetwork(onnx, recipe.threads, optimized=path)


def load(path: Path, recipe: Recipe, signature: Signature) -> OnnxRuntimeNetwork:
    """Run what `build` wrote."""
    return OnnxRuntimeNetwork(path, recipe.threads)
