"""What a drawn lower face should be like: the real one, at every scale, and real-looking where that is not enough.

None needs downloaded weights. Pictures are float [B, C, H, W], colours 0..1; weights say where an error counts.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

MOUTH_WEIGHT = 4.0
"""How much more an error at the lips and teeth counts than one on the cheek."""


def importance(mask: Float[Tensor, "B 1 H W"], mouth: Float[Tensor, "B 4"]) -> Float[Tensor, "B 1 H W"]:
    """1 in the hole (0..1), up to 1 + MOUTH_WEIGHT around the lips' box (left, top, right, bottom px), 0 outside."""
    height, width = mask.shape[2:]
    left, top, right, bottom = mouth[:, :, None].unbind(1)
    x = torch.arange(width, device=mask.device) + 0.5
    y = torch.arange(height, device=mask.device) + 0.5
    across = (x - (left + right) / 2) / (right - left)
    down = (y - (top + bottom) / 2) / (0.8 * (right - left))
    blob = torch.exp(-4 * across**2)[:, None, None, :] * torch.exp(-4 * down**2)[:, None, :, None]
    return mask * (1 + MOUTH_WEIGHT * blob)


def pyramid_loss(
    drawn: Float[Tensor, "B C H W"], real: Float[Tensor, "B C H W"], weight: Float[Tensor, "B 1 H W"], levels: int = 4
) -> Float[Tensor, ""]:
    """Mean weighted L1 of the colours and of each level of the Laplacian pyramid (Burt and Adelson 1983).

    Colours alone leave fine detail a share of the loss so small that it is never drawn.
    """
    error = drawn - real
    total = _mean(error, weight)
    for _ in range(levels):
        coarse = functional.avg_pool2d(error, 2)
        fine = error - functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        total = total + _mean(fine, weight)
        error, weight = coarse, functional.avg_pool2d(weight, 2)
    return total


def _mean(error: Float[Tensor, "B C H W"], weight: Float[Tensor, "B 1 H W"]) -> Float[Tensor, ""]:
    return (error.abs().mean(dim=1, keepdim=True) * weight).sum() / weight.sum().clamp(min=1)


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


def discriminator_loss(on_real: list[Tensor], on_drawn: list[Tensor]) -> Float[Tensor, ""]:
    """Hinge loss (Lim and Ye 2017)."""
    return functional.relu(1 - on_real[-1]).mean() + functional.relu(1 + on_drawn[-1]).mean()


def adversarial_loss(on_drawn: list[Tensor]) -> Float[Tensor, ""]:
    """What the renderer wants of the discriminator."""
    return -on_drawn[-1].mean()


def feature_loss(on_real: list[Tensor], on_drawn: list[Tensor]) -> Float[Tensor, ""]:
    """Feature matching (Wang et al., *pix2pixHD*, CVPR 2018): the discriminator's features should agree."""
    pairs = zip(on_real[:-1], on_drawn[:-1], strict=True)
    return torch.stack([(real.detach() - drawn).abs().mean() for real, drawn in pairs]).mean()
