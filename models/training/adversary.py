"""Discriminators that keep the renderer from painting the mean of what could be there: teeth, lips, skin.

Pictures are float [B, C, H, W], colours 0..1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from models.renderer_format import CHANNELS

FEATURES, ADVERSARIAL = 0.6, 0.1
"""Weights of feature matching and of the verdict beside the pyramid loss."""
MOUTH = (64, 96)
"""Height and width in px of the window on the lips and teeth."""


class PatchDiscriminator(nn.Module):
    """Tells drawn from real patches, given the face picture they should show.

    PatchGAN of Isola et al., CVPR 2017, with spectral normalisation (Miyato et al., ICLR 2018).
    """

    def __init__(self, channels: int, width: int = 48) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride, 1))
            for a, b, stride in zip(widths, widths[1:], (2, 2, 1), strict=False)
        )
        self.verdict = spectral_norm(nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, x: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """The features of every layer, and last the verdict on each patch: positive means real."""
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [*features, self.verdict(x)]


class Adversary(nn.Module):
    """One discriminator that looks at the mouth, and one at the whole window if `everywhere`."""

    def __init__(self, everywhere: bool) -> None:
        super().__init__()
        self.judges = nn.ModuleList(PatchDiscriminator(CHANNELS + 3) for _ in range(1 + everywhere))

    def views(
        self, picture: Float[Tensor, "B 3 H W"], face: Float[Tensor, "B 6 H W"], mouth: Float[Tensor, "B 4"]
    ) -> list[Tensor]:
        """What each judge sees of a picture; `face` in 0..1, `mouth` the lips' box in px (left, top, right, bottom)."""
        seen = torch.cat([picture, face], dim=1)
        return [_at_mouth(seen, _corner(mouth, *picture.shape[2:])), seen][: len(self.judges)]

    def forward(self, views: list[Tensor]) -> list[list[Tensor]]:
        """Features and verdict of each judge."""
        return [judge(view) for judge, view in zip(self.judges, views, strict=True)]


def judging_loss(on_real: list[list[Tensor]], on_drawn: list[list[Tensor]]) -> Float[Tensor, ""]:
    """What the judges learn from: the hinge loss (Lim and Ye, *Geometric GAN*, 2017)."""
    losses = [
        functional.relu(1 - real[-1]).mean() + functional.relu(1 + drawn[-1]).mean()
        for real, drawn in zip(on_real, on_drawn, strict=True)
    ]
    return torch.stack(losses).sum()


def persuading_loss(on_real: list[list[Tensor]], on_drawn: list[list[Tensor]]) -> Float[Tensor, ""]:
    """What the renderer learns from: the verdict, and that features agree (Wang et al., *pix2pixHD*, CVPR 2018)."""
    losses = []
    for real, drawn in zip(on_real, on_drawn, strict=True):
        gaps = [(a.detach() - b).abs().mean() for a, b in zip(real[:-1], drawn[:-1], strict=True)]
        losses.append(FEATURES * torch.stack(gaps).mean() - ADVERSARIAL * drawn[-1].mean())
    return torch.stack(losses).sum()


def _corner(mouth: Float[Tensor, "B 4"], height: int, width: int) -> Int64[Tensor, "B 2"]:
    """Top left corners (x, y) of windows of size MOUTH, centred on the lips but inside the picture."""
    x = (mouth[:, 0] + mouth[:, 2] - MOUTH[1]) / 2
    y = (mouth[:, 1] + mouth[:, 3] - MOUTH[0]) / 2
    return torch.stack([x.clamp(0, width - MOUTH[1]), y.clamp(0, height - MOUTH[0])], dim=1).long()


def _at_mouth(x: Float[Tensor, "B C H W"], corner: Int64[Tensor, "B 2"]) -> Float[Tensor, "B C h w"]:
    """Cut a window of size MOUTH out of each picture."""
    sample = torch.arange(len(x), device=x.device)[:, None, None]
    rows = corner[:, 1, None, None] + torch.arange(MOUTH[0], device=x.device)[:, None]
    columns = corner[:, 0, None, None] + torch.arange(MOUTH[1], device=x.device)
    return x.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)
