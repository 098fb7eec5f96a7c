"""The renderer of a photo: no network, but a look-up of what is painted on the mesh, in the form of one.

It takes and gives what `models.renderer.Renderer` does, so that every engine runs it and nobody need know.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from models.face_model import FaceModel
from models.photo.texture import TEXELS, Texture
from models.renderer import blend, to_bytes

DARKEST = 0.6
"""Share of the light that the inside of the mouth gets beside the lips."""
PASCAL = (1, 4, 6, 4, 1)


class PhotoRenderer(nn.Module):
    """Looks up skin, teeth and cavity by whole texels, and what lies between by the texture's slope.

    The face picture gives places in 256 steps, which shows as steps. The mean over its neighbours says where between
    two texels a pixel lies; it is believed as far as rounding may have hidden it, so that lips and teeth keep their
    edges. Whole numbers and small fractions are exact enough even where an engine computes in bfloat16.
    """

    sheets: Float[Tensor, "texels 9"]
    kernel: Float[Tensor, "1 1 5 5"]
    soft: Float[Tensor, "1 1 3 3"]

    def __init__(self, mesh: FaceModel, skin: Texture, teeth: Texture, cavity: Texture) -> None:
        super().__init__()
        slopes = [np.concatenate([t, np.gradient(t, axis=1), np.gradient(t, axis=0)], 2) for t in (skin, teeth, cavity)]
        sheets = torch.from_numpy(np.stack(slopes).reshape(-1, 9).astype(np.float32) / 255)
        self.register_buffer("sheets", sheets)
        kernel = np.outer(PASCAL, PASCAL) / 256
        kernel[2, 2] -= 1
        self.register_buffer("kernel", torch.from_numpy(kernel).float()[None, None])
        self.register_buffer("soft", torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])[None, None] / 16)
        z = mesh.mean[:, 2]
        between = (z[mesh.regions["teeth"]].min() + z[mesh.regions["cavity"]].max()) / 2
        self.deep = round(255 * float((between - z.min()) / np.ptp(z)))
        """Code of the depth that divides teeth from cavity."""

    def forward(
        self, face: UInt8[Tensor, "B H W 6"], photo: UInt8[Tensor, "B H W 3"], mask: UInt8[Tensor, "B H W 1"]
    ) -> tuple[UInt8[Tensor, "B H W 3"], UInt8[Tensor, "B H W 1"]]:
        """The picture, and how much of it to take: nothing where there is no mesh."""
        inside = (face[..., 5] > 127).long()
        layer = inside + inside * (face[..., 2] < self.deep).long()
        place = (layer * TEXELS + face[..., 1].long()) * TEXELS + face[..., 0].long()
        found = self.sheets.index_select(0, place.flatten()).reshape(*place.shape, 9).permute(0, 3, 1, 2)
        right, up = (self.beyond(face[..., axis].float()[:, None]) for axis in (0, 1))
        drawn = found[:, :3] + right * found[:, 3:6] + up * found[:, 6:]
        hollow = inside[:, None].float()
        drawn = drawn * (1 - hollow * (1 - DARKEST) * (1 - blend(hollow)))
        shown = (face[..., :3].float().sum(dim=-1) > 0)[:, None].float()
        under = photo.permute(0, 3, 1, 2).float() / 255
        drawn = self.softened(torch.where(shown > 0, drawn, under), hollow)
        return to_bytes(drawn), to_bytes(blend(mask.permute(0, 3, 1, 2).float() / 255) * blend(shown))

    def beyond(self, code: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 H W"]:
        """How far pixels lie beyond their texel, -0.5..0.5."""
        return functional.conv2d(code, self.kernel, padding=2).clamp(-0.5, 0.5)

    def softened(self, drawn: Float[Tensor, "B 3 H W"], hollow: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 3 H W"]:
        """The inside of the mouth, and the lips' edge around it, without stairs: no camera sees it as sharp as skin."""
        edge = functional.conv2d(hollow, self.soft, padding=1)
        kernel = self.soft.expand(3, 1, 3, 3)
        smooth = functional.conv2d(drawn, kernel, padding=1, groups=3)
        return drawn + torch.maximum(hollow, 4 * edge * (1 - edge)) * (smooth - drawn)
