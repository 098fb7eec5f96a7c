"""The neural renderer: rasterized face and surrounding photo in, lower face out.

Letters: B batch, H W C picture. Pictures are uint8 [B, H, W, C] on both sides, with all arithmetic in between, so that
an exported network takes and gives what the live path holds. H and W are multiples of 16 (of 256 for the U-Net).

    renderer = build("standard")
    rgb, alpha = renderer(face, photo, mask)     # as the engine runs it
    rgb = renderer.trunk(pack(face, photo, mask))  # as training sees it: float, channels first, unclipped
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.renderer_format import CHANNELS

Kind = Literal["standard", "unet256"]
INPUTS = CHANNELS + 3 + 1
Pictures = UInt8[Tensor, "B H W _"]


class Renderer(nn.Module):
    """A trunk between bytes and bytes. The blend mask is the hole with a soft inner edge."""

    def __init__(self, kind: Kind, trunk: nn.Module) -> None:
        super().__init__()
        self.kind = kind
        self.trunk = trunk

    def forward(
        self, face: UInt8[Tensor, "B H W 6"], photo: UInt8[Tensor, "B H W 3"], mask: UInt8[Tensor, "B H W 1"]
    ) -> tuple[UInt8[Tensor, "B H W 3"], UInt8[Tensor, "B H W 1"]]:
        """The picture, of which only the hole is meant to be used, and how much of it to take: 255 all, 0 none."""
        rgb = self.trunk(pack(face, photo, mask))
        return _to_bytes(rgb), _to_bytes(blend(mask.permute(0, 3, 1, 2).float() / 255))

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
    return Renderer(kind, ShuffleNet() if kind == "standard" else UNet256())


def pack(
    face: UInt8[Tensor, "B H W 6"], photo: UInt8[Tensor, "B H W 3"], mask: UInt8[Tensor, "B H W 1"]
) -> Float[Tensor, "B 10 H W"]:
    """The trunk's input: all channels in -1..1."""
    channels = [picture.permute(0, 3, 1, 2).float() for picture in (face, photo, mask)]
    return torch.cat(channels, dim=1) / 127.5 - 1


def blend(mask: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 H W"]:
    """0..1 hole -> 0..1 share of the drawn picture: 0 at the hole's edge, 1 from about 8 px inside.

    Blurred at a quarter of the resolution, then enlarged bilinearly by a convolution and a shuffle: engines take a
    quarter of the whole network's time to blur or enlarge a single channel at full size.
    """
    coarse = functional.avg_pool2d(functional.avg_pool2d(mask, 4), 3, stride=1, padding=1)
    tap = mask.new_tensor([[3, 5, 0], [1, 7, 0], [0, 7, 1], [0, 5, 3]]) / 8
    kernel = (tap[:, None, :, None] * tap[None, :, None, :]).reshape(16, 1, 3, 3)
    near = functional.pixel_shuffle(functional.conv2d(coarse, kernel, padding=1), 4)
    return (2 * near - 1).clamp(0, 1)


def _to_bytes(picture: Float[Tensor, "B C H W"]) -> UInt8[Tensor, "B H W C"]:
    return (picture * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


class ShuffleNet(nn.Module):
    """Dense 3×3 convolutions, most of them at a quarter of the resolution and below: 4 GFLOP at 256 px.

    Space-to-depth brings the input down without loss; two pixel shuffles of 2 and a last convolution at full resolution
    bring the picture up. No normalisation: He-scaled weights and residual branches that start small stand in for it.
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 96, 160)) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.stem = _conv(16 * INPUTS, quarter)
        self.down8 = _conv(quarter, eighth, stride=2)
        self.encode8 = nn.Sequential(_Residual(eighth), _Residual(eighth))
        self.down16 = _conv(eighth, sixteenth, stride=2)
        self.deepest = nn.Sequential(*(_Residual(sixteenth) for _ in range(3)))
        self.up8 = _conv(sixteenth, eighth)
        self.decode8 = _Residual(eighth)
        self.up4 = _conv(eighth, quarter)
        self.decode4 = _Residual(quarter)
        self.to_half = _shuffled(quarter, 16)
        self.to_full = _shuffled(16, 8)
        self.last = _conv(8, 3)
        with torch.no_grad():
            self.last.weight *= 0.1

    def forward(self, x: Float[Tensor, "B 10 H W"]) -> Float[Tensor, "B 3 H W"]:
        """-1..1 in, colours 0..1 out (unclipped)."""
        quarter = functional.relu(self.stem(functional.pixel_unshuffle(x, 4)))
        eighth = self.encode8(functional.relu(self.down8(quarter)))
        sixteenth = self.deepest(functional.relu(self.down16(eighth)))
        eighth = self.decode8(functional.relu(eighth + _twice(self.up8(sixteenth))))
        quarter = self.decode4(functional.relu(quarter + _twice(self.up4(eighth))))
        half = functional.relu(functional.pixel_shuffle(self.to_half(quarter), 2))
        full = functional.relu(functional.pixel_shuffle(self.to_full(half), 2))
        return 0.5 + self.last(full)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = _conv(channels, channels)
        with torch.no_grad():
            self.second.weight *= 0.1

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def _shuffled(inputs: int, outputs: int) -> nn.Conv2d:
    """A convolution before a pixel shuffle, whose four sub-pixels start equal so that no grid shows.

    ICNR: Aitken et al., *Checkerboard artifact free sub-pixel convolution*, 2017.
    """
    conv = _conv(inputs, 4 * outputs)
    with torch.no_grad():
        conv.weight.copy_(conv.weight[::4].repeat_interleave(4, dim=0))
    return conv


def _twice(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H2 W2"]:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class UNet256(nn.Module):
    """The U-Net of pix2pix (Isola et al., *Image-to-image translation with conditional adversarial nets*, CVPR 2017).

    AudioDVP's renderer without its refine modules, given our inputs: 54 M weights, 12.5 GFLOP. To compare with.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        down = [width, 2 * width, 4 * width, *[8 * width] * 5]
        sources = [INPUTS, *down[:-1]]
        self.encoder = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 4, 2, 1),
                *([nn.BatchNorm2d(b)] if 0 < level < 7 else []),
                nn.LeakyReLU(0.2),
            )
            for level, (a, b) in enumerate(zip(sources, down, strict=True))
        )
        up = [3, *down[:-1]]
        self.decoder = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(b if level == 7 else 2 * b, a, 4, 2, 1),
                *([nn.BatchNorm2d(a), nn.ReLU()] if level else []),
                *([nn.Dropout(0.5)] if 4 <= level < 7 else []),
            )
            for level, (a, b) in enumerate(zip(up, down, strict=True))
        )

    def forward(self, x: Float[Tensor, "B 10 256 256"]) -> Float[Tensor, "B 3 256 256"]:
        """-1..1 in, colours 0..1 out."""
        levels = []
        for encode in self.encoder:
            x = encode(x)
            levels.append(x)
        x = self.decoder[-1](levels.pop())
        for decode in list(self.decoder)[-2::-1]:
            x = decode(torch.cat([x, levels.pop()], dim=1))
        return 0.5 + 0.5 * torch.tanh(x)
