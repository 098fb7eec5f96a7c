"""The narrow seam between a network and what runs it: arrays in by name, arrays out by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from models.errors import InputError

Network = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]
Engine = Literal["openvino", "onnxruntime"]

FALLBACK: tuple[Engine, ...] = ("openvino", "onnxruntime")


def load(onnx: Path, engine: Engine | None = None, threads: int = 1) -> Network:
    """Load an ONNX file into an engine.

    Args:
        onnx: the portable form of the network, as it lies in a puppet.
        engine: which one; None takes the first of FALLBACK that is installed.
        threads: how many processor threads one call may use.

    Returns:
        A function of named arrays. Outputs belong to the caller and stay valid after the next call.

    Raises:
        InputError: the engine is not installed.
    """
    chosen = engine or next((e for e in FALLBACK if find_spec(e)), None)
    if chosen is None or find_spec(chosen) is None:
        raise InputError(
            f"The engine {chosen or ' or '.join(FALLBACK)} is not installed: pip install marotte brings it."
        )
    if chosen == "openvino":
        from export import openvino_engine

        return openvino_engine.load(onnx, threads)
    from export import onnxruntime_engine

    return onnxruntime_engine.load(onnx, threads)
