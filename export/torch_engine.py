"""Plain torch, eager: on CUDA in half precision and channels last. The slowest of its family, and the surest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.engine import EngineError, Feed, Precision, Recipe, Signature
from export.onnx_module import OnnxModule

SUFFIX = ".onnx"
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchNetwork:
    """A `models.network.Network` around anything that takes and gives tensors in the signature's order."""

    def __init__(self, run: Callable[..., Sequence[Tensor]], recipe: Recipe, signature: Signature) -> None:
        self._run = run
        self._signature = signature
        self._device = torch.device(recipe.device)

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            tensors = (torch.as_tensor(feed[name], device=self._device) for name in self._signature.inputs)
            outputs = self._run(*tensors)
            return {
                name: np.array(output.numpy(force=True))
                for name, output in zip(self._signature.outputs, outputs, strict=True)
            }

    def initial_state(self) -> dict[str, NDArray[Any]]:
        inputs = self._signature.inputs.items()
        return {name: np.zeros(shape, kind) for name, (kind, shape) in inputs if name.startswith("state.")}


def module(onnx: Path, recipe: Recipe, outputs: Collection[str] | None = None) -> OnnxModule:
    """The network, or what some of its outputs need of it, on its device in its precision."""
    if recipe.precision not in DTYPES:
        raise EngineError(f"The torch engines compute in {', '.join(DTYPES)}, not in {recipe.precision}.")
    torch.set_num_threads(recipe.threads)
    network = OnnxModule(onnx, DTYPES[recipe.precision], outputs).eval().to(recipe.device)
    return channels_last(network) if recipe.device == "cuda" else network


def channels_last(network: OnnxModule) -> OnnxModule:
    """The same network, the weights of its 2D convolutions laid out so that tensor cores take them as they are."""
    for name, weight in network.named_buffers():
        if weight.dim() == 4:
            setattr(network, name, weight.contiguous(memory_format=torch.channels_last))
    return network


def example(feed: Feed, recipe: Recipe, signature: Signature) -> tuple[Tensor, ...]:
    """The tensors of a recorded frame in the network's order; a state that has seen nothing where it has none."""
    arrays = {name: np.zeros(shape, kind) for name, (kind, shape) in signature.inputs.items() if name not in feed}
    return tuple(torch.tensor({**arrays, **feed}[name], device=recipe.device) for name in signature.inputs)


def versions() -> dict[str, str]:
    """Of the libraries that the file depends on."""
    return {"torch": torch.__version__, "cuda": torch.version.cuda or "none"}


def build(onnx: Path, recipe: Recipe, feeds: Sequence[Feed], path: Path) -> None:
    """The portable file is the engine."""
    module(onnx, recipe)
    copyfile(onnx, path)


def load(path: Path, recipe: Recipe, signature: Signature) -> TorchNetwork:
    """Run what `build` wrote."""
    return TorchNetwork(module(path, recipe), recipe, signature)
