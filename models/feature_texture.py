"""What a person's skin looks like, learned place by place: Thies et al., *Deferred Neural Rendering*, SIGGRAPH 2019."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

TEXELS = 256
"""Along either side of the skin, and of the mouth's inside: one for each value that the face picture can have."""


class FeatureTexture(nn.Module):
    """Features of the skin, looked up where each pixel lies on it.

    The place is what the face picture says already: right and up on the neutral face, seen from the front, and whether
    it is skin or the inside of the mouth, which lies behind the lips and so needs a sheet of its own. Looking up by
    whole numbers is exact in every engine; interpolation is not, where engines round coordinates to bfloat16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sheets = nn.Parameter(torch.zeros(2 * TEXELS * TEXELS, channels))
        """Zero where nothing was ever seen."""

    def forward(self, face: UInt8[Tensor, "B H W 6"]) -> Float[Tensor, "B channels H W"]:
        """Features at each pixel; zero where there is no face."""
        right, up, inside = face[..., 0].long(), face[..., 1].long(), (face[..., 5] > 127).long()
        place = (inside * TEXELS + up) * TEXELS + right
        looked_up = self.sheets.index_select(0, place.flatten()).reshape(*place.shape, -1)
        shown = face[..., :3].amax(dim=-1, keepdim=True) > 0
        return (looked_up * shown).permute(0, 3, 1, 2)
