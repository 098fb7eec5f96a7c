"""Where the renderer looks: a steady square around the lower face, and in it the hole that is drawn anew.

Both are planned once per clip, for every frame of the background. The hole covers the lower face of that frame as it
was, with the jaw closed and with it wide open, so that no old chin or lip shows whatever the new voice says.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int32
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from models.camera import Crop, project, transform
from models.errors import FaceModelError
from models.face_model import FaceModel
from models.renderer_format import SIZE
from models.training.fit_face import FaceFit

UPPER_LIP, LOWER_LIP = 13, 14
"""Tracker points in the middle of the inner lips."""
WIDE_OPEN_CM = 3.0
"""Between the lips; speech stays under it."""
CORNERS = 64
"""Of the hole's outline."""
RIM = 1.10
"""The hole against the projected lower face: room for the blend and for what the fit misses."""
THROAT = 0.25
"""How much further it goes below the chin, where the throat moves with the jaw."""
CONTEXT = 1.15
"""The crop's side against the hole's: the real pixels around it tell the renderer about light and place."""
LARGEST_SCALE = 2.0
"""Enlarging more would only spend time: the detail is not there."""
HOLE_SMOOTHING = 2.0
"""Standard deviation in frames."""
CROP_SMOOTHING = 4.0


@dataclass(frozen=True)
class Framing:
    """What `puppet.Track` keeps. N frames, P corners."""

    crop: Float32[NDArray[np.float32], "N 3"]
    """x, y (px of the frame) and scale of `camera.Crop`."""
    hole: Int32[NDArray[np.int32], "N P 2"]
    """px of the crop."""
    mouth: Float32[NDArray[np.float32], "N 4"]
    """The lips' bounding box: left, top, right, bottom, px of the crop."""

    def crop_at(self, n: int) -> Crop:
        """The crop of frame n."""
        return Crop(*self.crop[n].tolist())


def frame_lower_face(fit: FaceFit) -> Framing:
    """Plan crop and hole for a fitted clip."""
    face, camera, expression = fit.face, fit.camera, fit.expression
    rotation, translation = fit.rotation, fit.translation
    region = face.regions["lower_face"]
    part = face.shape(None, np.stack([parted_lips(face, 0.0), parted_lips(face, WIDE_OPEN_CM)]))[:, region]
    centre = np.empty((len(expression), 2))
    radii = np.empty((len(expression), CORNERS))
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for n in range(len(expression)):
        shapes = np.concatenate([part, face.shape(None, expression[n : n + 1])[:, region]])
        vertices = transform(shapes, rotation[n], translation[n])
        points = np.ascontiguousarray(project(camera, vertices)[..., :2].reshape(-1, 2))
        centre[n] = (points.min(axis=0) + points.max(axis=0)) / 2
        radii[n] = _reach(np.asarray(cv2.convexHull(points), np.float32)[:, 0], centre[n], rays)
    down = -transform(np.array([[0, 1, 0]], np.float32), rotation, 0 * translation)[:, 0, :2] * [1, -1]
    radii *= RIM + THROAT * np.maximum(down @ rays.T, 0) ** 2
    centre = gaussian_filter1d(centre, HOLE_SMOOTHING, axis=0, mode="nearest")
    radii = gaussian_filter1d(radii, HOLE_SMOOTHING, axis=0, mode="nearest")
    hole = centre[:, None] + radii[..., None] * rays
    crop = _crops(hole, camera.focal / -translation[:, 2])
    lips = project(camera, transform(face.shape(None, expression)[:, face.regions["lips"]], rotation, translation))
    return Framing(
        crop,
        np.round(_into(crop, hole)).astype(np.int32),
        _into(crop, np.stack([lips[..., :2].min(axis=1), lips[..., :2].max(axis=1)], axis=1)).reshape(-1, 4),
    )


def parted_lips(face: FaceModel, distance: float) -> Float32[NDArray[np.float32], "K"]:
    """The likeliest expression whose inner lips are `distance` cm apart.

    Of all expressions with that distance, the one nearest to neutral, each coefficient measured by its typical size.
    """
    vertex = {int(point): int(vertex) for point, vertex in face.landmarks}
    if UPPER_LIP not in vertex or LOWER_LIP not in vertex:
        raise FaceModelError(f"The face model '{face.name}' has no landmarks {UPPER_LIP} and {LOWER_LIP} (inner lips).")
    upper, lower = vertex[UPPER_LIP], vertex[LOWER_LIP]
    opening = face.expression[:, upper, 1] - face.expression[:, lower, 1]
    missing = distance - (face.mean[upper, 1] - face.mean[lower, 1])
    likely = face.expression_scale**2 * opening
    return (likely * (missing / (opening @ likely))).astype(np.float32)


def _reach(
    hull: Float32[NDArray[np.float32], "E 2"], centre: Float[np.ndarray, "2"], rays: Float[np.ndarray, "P 2"]
) -> Float[np.ndarray, "P"]:
    """How far each ray from the centre goes inside a convex outline."""
    edge = np.roll(hull, -1, axis=0) - hull
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1).astype(np.float64)
    distance = np.einsum("ei,ei->e", normal, hull - centre)
    normal *= np.sign(distance)[:, None]
    speed = rays @ normal.T
    with np.errstate(divide="ignore"):
        return np.where(speed > 1e-9, np.abs(distance) / speed, np.inf).min(axis=1)


def _crops(hole: Float[np.ndarray, "N P 2"], px_per_cm: Float[np.ndarray, "N"]) -> Float32[NDArray[np.float32], "N 3"]:
    """Squares that hold the holes, follow the head slowly and do not breathe when it turns or speaks."""
    low, high = hole.min(axis=1), hole.max(axis=1)
    in_cm = np.quantile((high - low).max(axis=1) / px_per_cm, 0.9)
    near = gaussian_filter1d(px_per_cm.astype(np.float64), 2 * CROP_SMOOTHING, mode="nearest")
    scale = np.minimum(SIZE / (CONTEXT * in_cm * near), LARGEST_SCALE)
    middle = gaussian_filter1d((low + high) / 2, CROP_SMOOTHING, axis=0, mode="nearest")
    return np.column_stack([middle - SIZE / 2 / scale[:, None], scale]).astype(np.float32)


def _into(crop: Float32[NDArray[np.float32], "N 3"], points: Float[np.ndarray, "N P 2"]) -> NDArray[np.float32]:
    """px of the frame to px of each frame's crop."""
    return ((points - crop[:, None, :2]) * crop[:, None, 2:]).astype(np.float32)
