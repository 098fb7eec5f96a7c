"""The face model on a device: expressions to vertices with attributes, in torch, for B sessions at once.

It computes what `models.conditioning` does with NumPy, without a look at any value, so that a CUDA graph can hold it.
Letters: B sessions, V vertices, K coefficients, N frames of the clip.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.face_model import FaceModel
from models.renderer_format import CHANNELS


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
        rotation: Float[Tensor, "N 3 3"],
        translation: Float[Tensor, "N 3"],
        camera: Float[Tensor, "N 3"],
        at: Int64[Tensor, " B"],
    ) -> tuple[Float[Tensor, "B V 3"], Float[Tensor, "B V 6"]]:
        """(u px, v px, depth cm) in the crop, and attributes, for poses `at`."""
        rotation, translation, camera = rotation[at], translation[at], camera[at]
        shape = torch.addmm(self._mean, expression, self._basis).reshape(len(expression), -1, 3)
        vertices = shape @ rotation.mT + translation[:, None]
        normals = self._normals(vertices)
        attributes = self._attributes.expand(len(vertices), -1, -1)
        attributes = torch.cat([attributes[..., :3], 0.5 + 0.5 * normals[..., :2], attributes[..., 5:]], 2)
        depth = -vertices[..., 2:]
        focal, middle = camera[:, None, :1], camera[:, None, 1:]
        corners = torch.cat([middle + focal * self._sign * vertices[..., :2] / depth, depth], 2)
        return corners.contiguous(), attributes.contiguous()

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
