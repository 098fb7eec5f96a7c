"""AOTInductor: torch compiled ahead of time into one package that runs without tracing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from export import torch_engine
from export.engine import EngineError, Feed, Recipe, Signature
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.torch_engine import TorchNetwork

SUFFIX = ".pt2"


def versions() -> dict[str, str]:
    """Of the libraries that the file depends on."""
    return torch_engine.versions()


def build(onnx: Path, recipe: Recipe, feeds: Sequence[Feed], path: Path) -> None:
    """Write the package, for the shapes of the first recorded frame."""
    signature = OnnxRuntimeNetwork(onnx, 1).signature()
    if any(-1 in shape for _, shape in signature.inputs.values()):
        raise EngineError("AOTInductor packages are built for fixed shapes, and this network's input varies in length.")
    with torch.inference_mode():
        inputs = torch_engine.example(feeds[0], recipe, signature)
        network = torch_engine.module(onnx, recipe)
        network(*inputs)  # makes the constants; made while tracing, they would be copied from ordinary memory each time
        program = torch.export.export(network, inputs)
        # Without autotuning, which takes minutes.
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))


def load(path: Path, recipe: Recipe, signature: Signature) -> TorchNetwork:
    """Run what `build` wrote."""
    torch.set_num_threads(recipe.threads)
    return TorchNetwork(torch._inductor.aoti_load_package(str(path)), recipe, signature)
