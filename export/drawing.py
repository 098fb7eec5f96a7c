"""From expressions to pictures in torch steps of fixed shapes, for B sessions at once: what follows the voice."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from export.compiled import Step, built
from export.engine import Device, Precision, Recipe
from export.geometry import Geometry
from export.onnx_module import OnnxModule
from export.pasting import Box, Clip, pasting
from export.torch_engine import module
from kernels.rasterizer import Rasterizer
from models.puppet import Puppet
from models.renderer_format import CHANNELS

KernelArray = Any  # a NumPy or a CUDA array


class Drawing:
    """Face model, rasterizer, renderer, composite and colours. Holds buffers: for one stream at a time."""

    def __init__(
        self,
        puppet: Puppet,
        clip: Clip,
        box: Box,
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
            fused: let Inductor compile all that is no kernel of ours; takes a minute.
            i420: give planes for an encoder instead of RGB.
        """
        device = clip["frames"].device
        self._device = device
        self._clip = clip
        triangles = torch.tensor(puppet.face.triangles, device=device)
        side = clip["photo"].shape[1]
        self._rasterizer = Rasterizer(side, side, raw(triangles), batch=batch)
        self._face = torch.empty(batch, side, side, CHANNELS, dtype=torch.uint8, device=device)
        self._pasting = pasting(clip, box, batch, i420)
        self._geometry = built(Geometry(puppet.face, device), fused)
        kind: Device = "cuda" if device.type == "cuda" else "cpu"
        recipe = Recipe("torch", precision, kind, torch.get_num_threads())
        onnx = puppet.folder / "renderer.onnx"
        share = module(onnx, recipe, ["alpha"])
        self._share = None if "face" in share.inputs else built(_beginning_with_the_clip(share), fused)
        """How much is to be taken of what is drawn, where that depends on the clip alone."""
        drawn = ["rgb", "alpha"] if self._share is None else ["rgb"]
        self._draw = built(_beginning_with_the_clip(module(onnx, recipe, drawn).join()), fused)

    def begin(self, at: Int64[Tensor, " B"]) -> None:
        """What needs nothing but the clip, for pictures `at` of it; on a GPU, beside all that is done before `end`."""
        clip = self._clip
        with self._pasting.beside():
            if self._share:
                (alpha,) = self._share(self._face, clip["photo"], clip["mask"], at)
                self._pasting.cover(alpha, at)
            self._pasting.begin(at)

    def end(
        self, expression: Float[Tensor, "B K"], at: Int64[Tensor, " B"]
    ) -> UInt8[Tensor, "B H W 3"] | UInt8[Tensor, "B rows W"]:
        """The face at `expression`, in the puppet's own coefficients, in the pictures begun; on the host."""
        clip = self._clip
        vertices, attributes = self._geometry(expression, clip["rotation"], clip["translation"], clip["camera"], at)
        stream = torch.cuda.current_stream().cuda_stream if self._device.type == "cuda" else 0
        self._rasterizer.draw(raw(vertices), raw(attributes), raw(self._face), stream=stream)
        rgb, *rest = self._draw(self._face, clip["photo"], clip["mask"], at)
        for alpha in rest:
            self._pasting.cover(alpha, at)
        return self._pasting.end(rgb, at)


def _beginning_with_the_clip(renderer: OnnxModule) -> Step:
    """The renderer for B frames of the clip: rasterized faces, all photos, all masks and numbers -> pictures."""

    def step(face: Tensor, photo: Tensor, mask: Tensor, at: Tensor) -> tuple[Tensor, ...]:
        inputs = {"face": face, "photo": photo[at], "mask": mask[at]}
        one_each = [inputs[name][:, None] for name in renderer.inputs]
        return tuple(drawn[:, 0].contiguous() for drawn in torch.vmap(renderer)(*one_each))

    return step


def raw(tensor: Tensor) -> KernelArray:
    """As the kernels take it."""
    return tensor if tensor.is_cuda else tensor.numpy()
