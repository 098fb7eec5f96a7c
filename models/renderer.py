"""The neural renderer: rasterized face and surrounding photo in, lower face out.

Letters: B batch, H W C picture. Pictures are uint8 [B, H, W, C] on both sides, with all arithmetic in between, so that
an exported network takes and gives what the live path holds. H and W are multiples of 16 (of 256 for the U-Net).

    renderer = build("standard")
    rgb, alpha = renderer(face, photo, mask)  # as the engine runs it
    drawn = renderer.draw(face, photo, mask)  # as training sees it: float, channels first, unclipped
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Float, UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.renderer_format import CHANNELS
from models.trunks import ShuffleNet, UNet256

Kind = Literal["standard", "small", "unet256"]
KINDS: tuple[Kind, ...] = get_args(Kind)
INPUTS = CHANNELS + 3 + 1
STANDARD, SMALL = (64, 96, 160), (32, 56, 96)
"""Channels at a quarter, an eighth and a sixteenth of the resolution."""
THROAT = 16
"""How far above the hole's lowest row the drawn picture ends, px. Chins stay 4 px and more above that.
Below them a collar would be drawn anew with each word, blurred, and skin no better than it was filmed.
"""
Face = UInt8[Tensor, "B H W 6"]
Photo = UInt8[Tensor, "B H W 3"]
Mask = UInt8[Tensor, "B H W 1"]
Colours = Float[Tensor, "B 3 H W"]


class Renderer(nn.Module):
    """A trunk between bytes and bytes."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        widths = SMALL if kind == "small" else STANDARD
        self.trunk = UNet256(INPUTS) if kind == "unet256" else ShuffleNet(INPUTS, widths)

    def forward(self, face: Face, photo: Photo, mask: Mask) -> tuple[Photo, Mask]:
        """The picture, of which only the hole is meant to be used, and how much of it to take: 255 all, 0 none."""
        alpha = blend(above_throat(mask.permute(0, 3, 1, 2).float() / 255))
        return to_bytes(self.draw(face, photo, mask)), to_bytes(alpha)

    def draw(self, face: Face, photo: Photo, mask: Mask) -> Colours:
        """Colours 0..1, unclipped."""
        colours: Colours = self.trunk(pack(face, photo, mask))
        return colours

    def save(self, path: Path) -> None:
        """Write the weights as safetensors; nothing half-written is left under `path`."""
        temporary = path.with_name(f".{path.name}.part")
        weights = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(weights, temporary, {"renderer": json.dumps(self.kind)})
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> Renderer:
        """Read what `save` wrote."""
        with safe_open(path, framework="pt") as file:
            renderer = build(json.loads(file.metadata()["renderer"]))
            renderer.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        return renderer


def build(kind: Kind) -> Renderer:
    """A renderer with fresh weights."""
    return Renderer(kind)


def pack(
    face: UInt8[Tensor, "B H W 6"], photo: UInt8[Tensor, "B H W 3"], mask: UInt8[Tensor, "B H W 1"]
) -> Float[Tensor, "B 10 H W"]:
    """The trunk's input: all channels in -1..1."""
    channels = [picture.permute(0, 3, 1, 2).float() for picture in (face, photo, mask)]
    return torch.cat(channels, dim=1) / 127.5 - 1


def above_throat(hole: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 H W"]:
    """The hole (0..1) without its lowest THROAT rows."""
    row = hole.amax(dim=3, keepdim=True)
    return hole * torch.cat([row[:, :, THROAT:], torch.zeros_like(row[:, :, :THROAT])], dim=2)


def blend(mask: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 H W"]:
    """0..1 hole -> 0..1 share of the drawn picture: 0 at the hole's edge, 1 from about 8 px inside.

    Blurred at a quarter of the resolution, then enlarged bilinearly by a convolution and a shuffle: engines take a
    quarter of the whole network's time to blur or enlarge a single channel at full size.
    """
    coarse = functional.avg_pool2d(functional.avg_pool2d(mask, 4), 3, stride=1, padding=1)
    # Linear weights of three pixels for each of the four between them; a list of numbers would be copied to the GPU,
    # which no CUDA graph can hold.
    pixels, parts = (torch.arange(count, device=mask.device, dtype=mask.dtype) for count in (3, 4))
    taps = (1 - (pixels - 0.625 - parts[:, None] / 4).abs()).clamp_min(0)
    kernel = (taps[:, None, :, None] * taps[None, :, None, :]).reshape(16, 1, 3, 3)
    near = functional.pixel_shuffle(functional.conv2d(coarse, kernel, padding=1), 4)
    return (2 * near - 1).clamp(0, 1)


def to_bytes(picture: Float[Tensor, "B C H W"]) -> UInt8[Tensor, "B H W C"]:
    """0..1 -> 0..255, channels last."""
    return (picture * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
