"""How far a drawn lower face is from the real one, at every scale, and where that matters. No weights to download."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

MOUTH_WEIGHT = 4.0
"""How much more an error at the lips and teeth counts than one on the cheek."""


def importance(known: Float[Tensor, "B 1 H W"], mouth: Float[Tensor, "B 4"]) -> Float[Tensor, "B 1 H W"]:
    """`known` (0..1), up to 1 + MOUTH_WEIGHT times more around the lips' box (left, top, right, bottom px)."""
    height, width = known.shape[2:]
    left, top, right, bottom = mouth[:, :, None].unbind(1)
    x = torch.arange(width, device=known.device) + 0.5
    y = torch.arange(height, device=known.device) + 0.5
    across = (x - (left + right) / 2) / (right - left)
    down = (y - (top + bottom) / 2) / (0.8 * (right - left))
    blob = torch.exp(-4 * across**2)[:, None, None, :] * torch.exp(-4 * down**2)[:, None, :, None]
    return known * (1 + MOUTH_WEIGHT * blob)


def pyramid_loss(
    drawn: Float[Tensor, "B C H W"], real: Float[Tensor, "B C H W"], weight: Float[Tensor, "B 1 H W"], levels: int = 4
) -> Float[Tensor, ""]:
    """Mean weighted L1 of the colours and of each level of the Laplacian pyramid (Burt and Adelson 1983).

    Colours alone leave fine detail a share of the loss so small that it is never drawn. H and W: multiples of 2^levels.
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
