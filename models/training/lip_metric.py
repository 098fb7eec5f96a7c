"""Lip motion in centimetres, whatever the face model whose coefficients move them.

Letters: K coefficients of a face model, P of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.face_model import FaceModel

UPPER_LIP, LOWER_LIP = 13, 14
"""Tracker points in the middle of the inner lips."""
DEPTH_WEIGHT = 0.5
"""Trackers see depth worse than the picture plane."""
LOWER_FACE_WEIGHT = 0.2
"""Of the lower face against the lips."""
LIP_POINT_WEIGHT = 3.0
"""Of the tracker's points on the lips against its others, when coefficients are carried over."""


@dataclass(frozen=True, slots=True)
class LipMetric:
    """How far lips move, in centimetres, as a quadratic form of the coefficients."""

    form: Float64[NDArray[np.float64], "K K"]
    """Mean squared displacement of the lips (and a little of the lower face)."""
    gap: Float64[NDArray[np.float64], " K"]
    """Opening of the inner lips per unit of each coefficient."""

    @classmethod
    def of(cls, face: FaceModel) -> LipMetric:
        """The metric of a face model."""
        basis = face.expression.astype(np.float64)

        def form(region: str) -> Float64[NDArray[np.float64], "K K"]:
            rows = basis[:, face.regions[region]] * np.array([1, 1, DEPTH_WEIGHT])
            flat = rows.reshape(len(basis), -1)
            return flat @ flat.T / rows.shape[1]

        vertex = dict(face.landmarks.tolist())
        gap = basis[:, vertex[UPPER_LIP], 1] - basis[:, vertex[LOWER_LIP], 1]
        return cls(form("lips") + LOWER_FACE_WEIGHT * form("lower_face"), gap)


def lower_lip(face: FaceModel) -> Float64[NDArray[np.float64], " K"]:
    """Height of the lower lip's inner edge per unit of each coefficient; the upper teeth do not move in the head."""
    return face.expression[:, dict(face.landmarks.tolist())[LOWER_LIP], 1].astype(np.float64)


def transfer(universal: FaceModel, face: FaceModel) -> Float64[NDArray[np.float64], "P K"]:
    """Coefficients of one face model that move the tracker's points as the other's do, lips counting most."""
    if face.expression.shape == universal.expression.shape and np.allclose(face.expression, universal.expression):
        return np.eye(len(face.expression))
    vertex, target = dict(universal.landmarks.tolist()), dict(face.landmarks.tolist())
    points = sorted(vertex.keys() & target.keys())
    lips = set(face.regions["lips"].tolist())
    weight = np.array([LIP_POINT_WEIGHT if target[p] in lips else 1.0 for p in points])[:, None]
    goal = (universal.expression[:, [vertex[p] for p in points]] * weight).reshape(len(universal.expression), -1)
    basis = (face.expression[:, [target[p] for p in points]] * weight).reshape(len(face.expression), -1)
    basis = basis.astype(np.float64)
    gram = basis @ basis.T
    return np.linalg.solve(gram + 1e-2 * np.trace(gram) / len(gram) * np.eye(len(gram)), basis @ goal.T)
