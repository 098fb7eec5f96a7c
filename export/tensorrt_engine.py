"""TensorRT through torch-tensorrt's dynamo path: one engine for the whole network, serialised in a torch program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch_tensorrt

from export import torch_engine
from export.engine import EngineError, Feed, Recipe, Signature
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.torch_engine import TorchNetwork

SUFFIX = ".ep"
WORKSPACE = 1 << 30
"""Bytes that a layer may use while it runs."""


def versions() -> dict[str, str]:
    """Of the libraries that the file depends on. An engine runs in no other version of TensorRT than its own."""
    import tensorrt

    return torch_engine.versions() | {"torch_tensorrt": torch_tensorrt.__version__, "tensorrt": tensorrt.__version__}


def build(onnx: Path, recipe: Recipe, feeds: Sequence[Feed], path: Path) -> None:
    """Write the engine, for the shapes of the first recorded frame."""
    if recipe.device != "cuda":
        raise EngineError("TensorRT runs on NVIDIA GPUs only: --device cuda.")
    signature = OnnxRuntimeNetwork(onnx, 1).signature()
    if any(-1 in shape for _, shape in signature.inputs.values()):
        raise EngineError("TensorRT engines are built for fixed shapes, and this network's input varies in length.")
    inputs = torch_engine.example(feeds[0], recipe, signature)
    with torch.inference_mode():
        program = torch.export.export(torch_engine.module(onnx, recipe), inputs)
        compiled = torch_tensorrt.dynamo.compile(
            program,
            arg_inputs=inputs,
            use_explicit_typing=True,  # the module has its precision already, and it is to be kept
            truncate_double=True,
            min_block_size=1,
            optimization_level=5,
            workspace_size=WORKSPACE,
        )
        torch_tensorrt.save(compiled, str(path), output_format="exported_program", arg_inputs=inputs)


def load(path: Path, recipe: Recipe, signature: Signature) -> TorchNetwork:
    """Run what `build` wrote."""
    return TorchNetwork(torch_tensorrt.load(str(path)).module(), recipe, signature)
