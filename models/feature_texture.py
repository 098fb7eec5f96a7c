"""What a person's skin looks like, learned place by place: Thies et al., *Deferred Neural Rendering*, SIGGRAPH 2019."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

TEXELS = 128
"""Along either side of the skin, and of the mouth's inside below it."""


class FeatureTexture(nn.Module):
    """Features of the skin, sampled where each pixel lies on it.

    The place is what the face picture says already: right and up on the neutral face, seen from the front, and whether
    it is skin or the inside of the mouth, which lies behind the lips and so needs a sheet of its own.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sheets = nn.Parameter(torch.randn(1, channels, 2 * TEXELS, TEXELS) * 0.1)

    def forward(self, face: UInt8[Tensor, "B H W 6"]) -> Float[Tensor, "B channels H W"]:
        """Features at each pixel; zero where there is no face."""
        code = face.float() / 255
        right, up, inside = code[..., 0], code[..., 1], code[..., 5]
        down = (up * (TEXELS - 1) + torch.round(inside) * TEXELS) / (2 * TEXELS - 1)
        place = torch.stack([2 * right - 1, 2 * down - 1], dim=-1)
        sheets = self.sheets.expand(len(face), -1, -1, -1)
        sampled = functional.grid_sample(sheets, place, mode="bilinear", align_corners=True)
        shown = (face[..., :3].amax(dim=-1, keepdim=True) > 0).permute(0, 3, 1, 2)
        return sampled * shown
