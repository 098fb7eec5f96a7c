"""What an engine is to the rest: a recipe, a file, and a network that runs. One module for each, imported when chosen.

network = load(puppet.folder / "renderer.onnx", FOR_PICTURES)      # straight from the portable file
network = store.load(onnx, recipe)                                 # from this machine's cache, checked
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args

from numpy.typing import NDArray

from models.errors import InputError
from models.network import Network

EngineName = Literal["tensorrt", "aotinductor", "torch", "openvino", "onnxruntime"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
Device = Literal["cpu", "cuda"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DEVICES: tuple[Device, ...] = get_args(Device)
Feed = Mapping[str, NDArray[Any]]

FOR_PICTURES: tuple[EngineName, ...] = ("openvino", "onnxruntime")
FOR_VOICE: tuple[EngineName, ...] = ("onnxruntime", "openvino")
"""OpenVINO is faster at convolutions over pictures, ONNX Runtime has less jitter with small networks."""

PACKAGES: dict[EngineName, tuple[str, ...]] = {
    "tensorrt": ("torch_tensorrt", "onnx"),
    "aotinductor": ("torch", "onnx"),
    "torch": ("torch", "onnx"),
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime",),
}
"""What must be installed for each."""


class EngineError(InputError):
    """A stored engine that does not belong here, or one that could not be built or differs from its network."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is to be run."""

    engine: EngineName
    precision: Precision = "fp32"
    device: Device = "cpu"
    threads: int = 1
    """Of the processor, for one call."""

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of inputs and outputs in the network's order, each with its type and shape; -1 for a size that varies."""

    inputs: dict[str, tuple[str, tuple[int, ...]]]
    outputs: dict[str, tuple[str, tuple[int, ...]]]


class Engine(Protocol):
    """What the module `<name>_engine` offers."""

    SUFFIX: str
    """Of the engine's file."""

    def versions(self) -> dict[str, str]:
        """Of the libraries that its file depends on."""
        ...

    def build(self, onnx: Path, recipe: Recipe, feeds: Sequence[Feed], path: Path) -> None:
        """Write the engine's one file to `path`. `feeds` are recorded inputs: examples, and what int8 is fitted to."""
        ...

    def load(self, path: Path, recipe: Recipe, signature: Signature) -> Network:
        """Run what `build` wrote."""
        ...


def engine(name: EngineName) -> Engine:
    """The engine's module. Raises `EngineError` when its libraries are not installed."""
    absent = missing(name)
    if absent:
        raise EngineError(f"The engine {name} needs {', '.join(absent)}, which is not installed.")
    return cast(Engine, import_module(f"export.{name}_engine"))


def missing(name: EngineName) -> list[str]:
    """Packages that the engine needs and that are not installed."""
    return [package for package in PACKAGES[name] if not find_spec(package)]


def load(onnx: Path, engines: tuple[EngineName, ...], threads: int = 1) -> Network:
    """Load an ONNX file into the first engine of `engines` that is installed, on the CPU, in fp32.

    In bf16 the voice network would be a tenth off.

    Args:
        onnx: the portable form of the network, as it lies in a puppet.
        engines: which to try, best first: "openvino" or "onnxruntime".
        threads: how many processor threads one call may use.

    Raises:
        InputError: none of the engines is installed.
    """
    name = next((name for name in engines if find_spec(name)), None)
    if name is None:
        raise InputError(f"None of {', '.join(engines)} is installed: pip install {engines[0]}.")
    if name == "openvino":
        from export.openvino_engine import compiled

        return compiled(onnx, Recipe(name, threads=threads))
    from export.onnxruntime_engine import OnnxRuntimeNetwork

    return OnnxRuntimeNetwork(onnx, threads)
