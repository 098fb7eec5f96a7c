"""OpenVINO on the CPU: the fastest for dense convolutions, in the precision that the processor really has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray


class OpenVinoNetwork:
    """A `models.network.Network` in OpenVINO. bf16 where the processor has it: emulated it is slower than fp32."""

    def __init__(self, onnx: Path, threads: int) -> None:
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
        self._inputs = compiled.inputs
        self._request = compiled.create_infer_request()
        self._outputs = [output.get_any_name() for output in compiled.outputs]

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self._request.infer(dict(feed), share_inputs=True)
        return {name: self._request.get_tensor(name).data.copy() for name in self._outputs}

    def initial_state(self) -> dict[str, NDArray[Any]]:
        named = {i.get_any_name(): i for i in self._inputs}
        return {n: np.zeros(tuple(i.shape), np.float32) for n, i in named.items() if n.startswith("state.")}
