"""A trained torch network as an ONNX file, the form in which a puppet carries it and every engine reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models.renderer_format import CHANNELS, SIZE

OPSET = 18


def write(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
) -> None:
    """Export `network`, called with the tensors `inputs` in order, under the names given.

    `dynamic` names the axes that may vary: {"samples": {1: "length"}}. Weights lie inside the one file; nothing
    half-written is left under `path`.
    """
    program = torch.onnx.export(
        network.eval(),
        tuple(inputs.values()),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes={name: (dynamic or {}).get(name) for name in inputs} if dynamic else None,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    save(program, path)


def save(program: torch.onnx.ONNXProgram | None, path: Path) -> None:
    """Write an exported program with its weights inside; nothing half-written is left under `path`."""
    assert program is not None
    temporary = path.with_name(f".{path.name}.part")
    program.save(temporary, external_data=False)
    os.replace(temporary, path)


def write_renderer(renderer: nn.Module, path: Path) -> None:
    """A `models.renderer.Renderer`, or what takes and gives the same.

    Inputs "face", "photo", "mask" and outputs "rgb", "alpha", uint8 [1, 256, 256, C]."""
    inputs = {
        name: torch.zeros(1, SIZE, SIZE, channels, dtype=torch.uint8)
        for name, channels in (("face", CHANNELS), ("photo", 3), ("mask", 1))
    }
    write(renderer.cpu(), inputs, ("rgb", "alpha"), path)
