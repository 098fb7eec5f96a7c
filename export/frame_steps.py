"""The steps of one frame as torch functions of fixed shapes, for any number of sessions B at once.

They compute what `models.conditioning` and `models.composite` do with NumPy and OpenCV, without a look at any value, so
that a CUDA graph can hold them. Letters: B sessions, V vertices, K coefficients, S side of the crop, R C rows and
columns of the box that is drawn anew.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kernels.blend import ALIKE, ENOUGH, LEAST_GAIN, MOST_GAIN
from kernels.resample import STRETCH
from models.composite import FADE
from models.face_model import FaceModel
from models.renderer_format import CHANNELS, SIZE

KEYS_A = -0.75
"""The cubic kernel's parameter in `kernels.resample`."""


class Geometry:
    """Expression to vertices and their attributes, as the rasterizer takes them."""

    def __init__(self, face: FaceModel, device: torch.device) -> None:
        low, high = face.mean.min(axis=0), face.mean.max(axis=0)
        attributes = np.zeros((len(face.mean), CHANNELS), np.float32)
        attributes[:, :3] = (face.mean - low) / (high - low)
        attributes[face.regions["inner_mouth"], 5] = 1
        self._attributes = torch.tensor(attributes, device=device)
        self._mean = torch.tensor(face.mean.ravel(), device=device)
        self._basis = torch.tensor(face.expression.reshape(len(face.expression), -1), device=device)
        self._triangles = torch.tensor(face.triangles.astype(np.int64), device=device)
        self._sign = torch.tensor([1.0, -1.0], device=device)  # rows count downwards
        self._around = torch.tensor(faces_around(face.triangles, len(face.mean)), device=device)

    def __call__(
        self,
        expression: Float[Tensor, "B K"],
        rotation: Float[Tensor, "B 3 3"],
        translation: Float[Tensor, "B 3"],
        camera: Float[Tensor, "B 3"],
    ) -> tuple[Float[Tensor, "B V 3"], Float[Tensor, "B V 6"]]:
        """(u px, v px, depth cm) in the crop, and attributes."""
        shape = torch.addmm(self._mean, expression, self._basis).reshape(len(expression), -1, 3)
        vertices = shape @ rotation.mT + translation[:, None]
        normals = self._normals(vertices)
        attributes = self._attributes.expand(len(vertices), -1, -1)
        attributes = torch.cat([attributes[..., :3], 0.5 + 0.5 * normals[..., :2], attributes[..., 5:]], 2)
        depth = -vertices[..., 2:]
        focal, middle = camera[:, None, :1], camera[:, None, 1:]
        return torch.cat([middle + focal * self._sign * vertices[..., :2] / depth, depth], 2), attributes.contiguous()

    def _normals(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3"]:
        """Area-weighted; summed in a fixed order, so that every run gives the same bits."""
        a, b, c = (vertices[:, self._triangles[:, corner]] for corner in range(3))
        faces = torch.linalg.cross(b - a, c - a)
        faces = torch.cat([faces, faces.new_zeros(len(faces), 1, 3)], 1)
        return torch.nn.functional.normalize(faces[:, self._around].sum(2), dim=2, eps=1e-12)


def faces_around(triangles: np.ndarray, vertices: int) -> np.ndarray:
    """Numbers of the triangles around each vertex [V, most]; filled up with the number of triangles."""
    corners = triangles.ravel()
    order = np.argsort(corners, kind="stable")
    counts = np.bincount(corners, minlength=vertices)
    table = np.full((vertices, counts.max(initial=1)), len(triangles), np.int64)
    starts = np.cumsum(counts) - counts
    table[corners[order], np.arange(len(order)) - starts[corners[order]]] = order // 3
    return table


def taps(first: int, last: int, origin: Float[Tensor, " B"], scale: Float[Tensor, " B"]) -> Float[Tensor, "B n S"]:
    """Weights of the crop's pixels in those of the frame from `first` to `last`; the filter of `kernels.resample`."""
    at = torch.arange(first, last, device=origin.device) + 0.5
    centre = (at - origin[:, None]) * scale[:, None]
    pixels = torch.arange(SIZE, device=origin.device) + 0.5
    stretch = (STRETCH * scale).clamp_min(1.0)[:, None, None]
    weights = keys((pixels - centre[..., None]).abs() / stretch)
    return weights / weights.sum(2, keepdim=True).clamp_min(1e-6)


def keys(distance: Tensor) -> Tensor:
    """The cubic convolution kernel of Keys 1981 as `kernels.resample` has it."""
    a = KEYS_A
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return torch.where(distance < 1, near, torch.where(distance < 2, far, torch.zeros_like(far)))


def composite(
    below: UInt8[Tensor, "B R C 3"],
    rgb: UInt8[Tensor, "B S S 3"],
    alpha: UInt8[Tensor, "B S S 1"],
    rows: Float[Tensor, "B R S"],
    columns: Float[Tensor, "B C S"],
) -> UInt8[Tensor, "B R C 3"]:
    """The drawn crop in its place in the box `below`, matched in colour and blended."""
    ramp = torch.arange(SIZE, device=rgb.device)
    ramp = torch.minimum(ramp, SIZE - 1 - ramp) / FADE
    fade = torch.minimum(ramp[:, None], ramp).clamp_max(1.0)
    patch = torch.cat([rgb.float(), alpha.float() * fade[..., None]], 3)
    tall = torch.einsum("brs,bscd->brcd", rows, patch)
    patch = torch.einsum("bcs,brsd->brcd", columns, tall).clamp(0, 255)
    drawn, share = patch[..., :3].round(), patch[..., 3:].round()
    under = below.float()
    rim = (share > 0) & (share < 255) & ((drawn - under).abs().amax(3, keepdim=True) <= ALIKE)
    real, ours = (under * rim).sum((1, 2)), (drawn * rim).sum((1, 2))
    gain = (real / ours.clamp_min(1.0)).clamp(LEAST_GAIN, MOST_GAIN)
    gain = torch.where(rim.sum((1, 2)) < ENOUGH, torch.ones_like(gain), gain)
    above = (drawn * gain[:, None, None]).round().clamp_max(255)
    return (under + (above - under) * share / 255 + 0.5).floor().clamp(0, 255).to(torch.uint8)


def to_i420(rgb: UInt8[Tensor, "B H W 3"]) -> UInt8[Tensor, "B rows W"]:
    """Planes of BT.601 in limited range, chroma averaged over 2 × 2 px: H · 3/2 rows."""
    pixels = rgb.float()
    red, green, blue = pixels.unbind(3)
    luma = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    small = torch.nn.functional.avg_pool2d(pixels.permute(0, 3, 1, 2), 2)
    red, green, blue = small.unbind(1)
    u = 128 + (-37.797 * red - 74.203 * green + 112.0 * blue) / 255
    v = 128 + (112.0 * red - 93.786 * green - 18.214 * blue) / 255
    batch, _, width = luma.shape
    planes = torch.cat([luma.reshape(batch, -1), u.reshape(batch, -1), v.reshape(batch, -1)], 1)
    return planes.round().clamp(0, 255).to(torch.uint8).reshape(batch, -1, width)
