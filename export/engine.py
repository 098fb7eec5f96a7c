"""Load a network into the engine that runs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from models.errors import InputError
from models.network import Network

Engine = Literal["openvino", "onnxruntime"]


def load(onnx: Path, engine: Engine, threads: int = 1) -> Network:
    """Load an ONNX file.

    Args:
        onnx: the portable form of the network, as it lies in a puppet.
        engine: OpenVINO is faster at pictures, ONNX Runtime steadier at small networks.
        threads: how many processor threads one call may use.

    Raises:
        InputError: the engine is not installed.
    """
    if find_spec(engine) is None:
        raise InputError(f"The engine {engine} is not installed: pip install {engine}.")
    if engine == "openvino":
        from export.openvino_engine import OpenVinoNetwork

        return OpenVinoNetwork(onnx, threads)
    from export.onnxruntime_engine import OnnxRuntimeNetwork

    return OnnxRuntimeNetwork(onnx, threads)
