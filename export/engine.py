"""Load a network into the engine that runs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from models.errors import InputError
from models.network import Network

Engine = Literal["openvino", "onnxruntime"]

FOR_PICTURES: tuple[Engine, ...] = ("openvino", "onnxruntime")
FOR_VOICE: tuple[Engine, ...] = ("onnxruntime", "openvino")
"""OpenVINO is faster at convolutions over pictures, ONNX Runtime has less jitter with small networks."""


def load(onnx: Path, engines: tuple[Engine, ...], threads: int = 1) -> Network:
    """Load an ONNX file into the first engine of `engines` that is installed.

    Args:
        onnx: the portable form of the network, as it lies in a puppet.
        engines: which to try, best first.
        threads: how many processor threads one call may use.

    Raises:
        InputError: none of the engines is installed.
    """
    engine = next((engine for engine in engines if find_spec(engine)), None)
    if engine is None:
        raise InputError(f"None of {', '.join(engines)} is installed: pip install {engines[0]}.")
    if engine == "openvino":
        from export.openvino_engine import OpenVinoNetwork

        return OpenVinoNetwork(onnx, threads)
    from export.onnxruntime_engine import OnnxRuntimeNetwork

    return OnnxRuntimeNetwork(onnx, threads)
