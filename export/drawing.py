"""From expressions to pictures in torch steps of fixed shapes, for B sessions at once: what follows the voice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from export.engine import Device, Precision, Recipe
from export.frame_steps import Geometry, composite, taps, to_i420
from export.torch_engine import module
from kernels.rasterizer import Rasterizer
from models.puppet import Puppet
from models.renderer_format import CHANNELS, SIZE

R = TypeVar("R")
KernelArray = Any  # a NumPy or a CUDA array


class Drawing:
    """Face model, rasterizer, renderer, composite and colours. Holds buffers: for one stream at a time."""

    def __init__(
        self,
        puppet: Puppet,
        clip: Mapping[str, Tensor],
        box: tuple[int, int, int, int],
        batch: int,
        precision: Precision,
        fused: bool = False,
        i420: bool = False,
    ) -> None:
        """Take up a puppet.

        Args:
            puppet: who is shown.
            clip: the arrays of `export.clip.Clip` on the device; what is in them may change from step to step.
            box: rows and columns that are drawn anew (`Clip.box`).
            batch: B, sessions that are drawn in step.
            precision: of the renderer.
            fused: let Inductor compile the steps between the networks' convolutions; takes a minute.
            i420: give planes for an encoder instead of RGB.
        """
        device = clip["frames"].device
        self._device = device
        self._clip = clip
        self._box = box
        self._i420 = i420
        self._geometry = Geometry(puppet.face, device)
        triangles = torch.tensor(puppet.face.triangles, device=device)
        self._rasterizer = Rasterizer(SIZE, SIZE, raw(triangles), batch=batch)
        self._face = torch.empty(batch, SIZE, SIZE, CHANNELS, dtype=torch.uint8, device=device)
        kind: Device = "cuda" if device.type == "cuda" else "cpu"
        recipe = Recipe("torch", precision, kind, torch.get_num_threads())
        self._renderer = module(puppet.folder / "renderer.onnx", recipe)
        self._draw = built(self._drawing, fused)

    def __call__(
        self, expression: Float[Tensor, "B K"], at: Int64[Tensor, " B"]
    ) -> UInt8[Tensor, "B H W 3"] | UInt8[Tensor, "B rows W"]:
        """The face at `expression`, in the puppet's own coefficients, in picture `at` of the clip."""
        place = (self._clip[name][at] for name in ("rotation", "translation", "camera"))
        vertices, attributes = self._geometry(expression, *place)
        stream = torch.cuda.current_stream().cuda_stream if self._device.type == "cuda" else 0
        corners, colours, out = map(raw, (vertices.contiguous(), attributes, self._face))
        self._rasterizer.draw(corners, colours, out, stream=stream)
        return self._draw(self._face, at)

    def _drawing(self, face: Tensor, at: Tensor) -> Tensor:
        """The rasterized face and the clip's frame -> the picture."""
        inputs = {"face": face, "photo": self._clip["photo"][at], "mask": self._clip["mask"][at]}
        one_each = [inputs[name][:, None] for name in self._renderer.inputs]
        rgb, alpha = (drawn[:, 0] for drawn in torch.vmap(self._renderer)(*one_each))
        x, y, scale = self._clip["crop"][at].unbind(1)
        top, bottom, left, right = self._box
        picture = self._clip["frames"][at]
        below = picture[:, top:bottom, left:right]
        patch = composite(below, rgb, alpha, taps(top, bottom, y, scale), taps(left, right, x, scale))
        picture[:, top:bottom, left:right] = patch
        return to_i420(picture) if self._i420 else picture


def built(step: Callable[..., R], fused: bool) -> Callable[..., R]:
    """The step as it is, or compiled by Inductor when it is first called."""
    if not fused:
        return step
    compiled: list[Callable[..., R]] = []

    def run(*tensors: Tensor) -> R:
        if not compiled:  # traced first: the compiler is to see operations, not the ONNX interpreter
            program = make_fx(lambda *given: step(*given))(*tensors)
            compiled.append(torch.compile(program, mode="max-autotune-no-cudagraphs", dynamic=False))
        return compiled[0](*tensors)

    return run


def raw(tensor: Tensor) -> KernelArray:
    """As the kernels take it."""
    return tensor if tensor.is_cuda else tensor.numpy()
