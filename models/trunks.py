"""The convolutional networks inside the renderers: float pictures in, float pictures out.

Letters: B batch, C channels, H W picture. H and W are multiples of 16 (of 256 for the U-Net).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class ShuffleNet(nn.Module):
    """Dense 3×3 convolutions, most of them at a quarter of the resolution and below: 3.9 GFLOP at 256 px.

    Space-to-depth brings the input down without loss; two pixel shuffles of 2 and a last convolution at full resolution
    bring the picture up. No normalisation: He-scaled weights and residual branches that start small stand in for it.
    """

    def __init__(self, inputs: int, widths: tuple[int, int, int]) -> None:
        """`widths`: channels at a quarter, an eighth and a sixteenth of the resolution."""
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.stem = _conv(16 * inputs, quarter)
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

    def forward(self, x: Float[Tensor, "B inputs H W"]) -> Float[Tensor, "B 3 H W"]:
        """-1..1 in, 0..1 out (unclipped)."""
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

    def __init__(self, inputs: int, width: int = 64) -> None:
        super().__init__()
        down = [width, 2 * width, 4 * width, *[8 * width] * 5]
        sources = [inputs, *down[:-1]]
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

    def forward(self, x: Float[Tensor, "B inputs 256 256"]) -> Float[Tensor, "B 3 256 256"]:
        """-1..1 in, colours 0..1 out."""
        levels = []
        for encode in self.encoder:
            x = encode(x)
            levels.append(x)
        x = self.decoder[-1](levels.pop())
        for decode in list(self.decoder)[-2::-1]:
            x = decode(torch.cat([x, levels.pop()], dim=1))
        return 0.5 + 0.5 * torch.tanh(x)
