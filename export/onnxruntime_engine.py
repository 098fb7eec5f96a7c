"""ONNX Runtime on the CPU: the lowest jitter for small networks such as the voice's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray


class OnnxRuntimeNetwork:
    """A `models.network.Network` in ONNX Runtime."""

    def __init__(self, onnx: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feed)), strict=True))

    def initial_state(self) -> dict[str, NDArray[Any]]:
        inputs = (i for i in self._session.get_inputs() if i.name.startswith("state."))
        return {i.name: np.zeros(i.shape, np.float32) for i in inputs}
