"""Rigid motion, the perspective camera and the square crop that the networks see.

Axes, units and pixel centres are fixed in conventions.md. Letters: V vertices, ... any leading axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion, looking along -z.

    `focal`, `cx`, `cy` in px of a picture of `width` × `height` px; (cx, cy) is where the optical axis meets it.
    """

    focal: float
    cx: float
    cy: float
    width: int
    height: int


def rotation_matrix(rotvec: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3 3"]:
    """Rotation vectors (axis × angle in radians) to matrices, by Rodrigues' formula; columns are the rotated axes.

    The two coefficients are written with sinc, so that no angle, zero included, divides by zero.
    """
    angle = np.linalg.norm(rotvec, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(rotvec, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*rotvec.shape, 3)
    first = np.sinc(angle / np.pi)  # sin(a) / a
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos(a)) / a²
    matrix = np.eye(3) + first * cross + second * (cross @ cross)
    return matrix.astype(rotvec.dtype)


def transform(
    vertices: Float[np.ndarray, "... V 3"],
    rotation: Float[np.ndarray, "... 3"],
    translation: Float[np.ndarray, "... 3"],
) -> Float[np.ndarray, "... V 3"]:
    """Head frame to camera frame: R(rotation) p + translation, in cm."""
    return vertices @ np.swapaxes(rotation_matrix(rotation), -1, -2) + translation[..., None, :]


def project(camera: Camera, points: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 3"]:
    """Camera frame (cm) to (u px, v px, depth cm); depth is positive in front of the camera."""
    x, y, z = np.moveaxis(points, -1, 0)
    depth = -z
    return np.stack([camera.cx + camera.focal * x / depth, camera.cy - camera.focal * y / depth, depth], axis=-1)


@dataclass(frozen=True)
class Crop:
    """A similarity without rotation from frame px to crop px: crop = (frame - (x, y)) * scale."""

    x: float
    y: float
    scale: float

    def to_crop(self, points: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Frame px to crop px."""
        return (points - np.array([self.x, self.y], points.dtype)) * points.dtype.type(self.scale)

    def to_frame(self, points: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Crop px to frame px."""
        return points / points.dtype.type(self.scale) + np.array([self.x, self.y], points.dtype)

    def frame_to_crop(self) -> Float[np.ndarray, "2 3"]:
        """The affine matrix that cv2.warpAffine wants (with pixel *indices*, centres at 0) to cut the crop out."""
        half = 0.5 * self.scale - 0.5
        return np.array([[self.scale, 0, half - self.scale * self.x], [0, self.scale, half - self.scale * self.y]])

    def camera(self, camera: Camera, size: int) -> Camera:
        """The camera whose picture is the crop of `size` × `size` px of what `camera` sees."""
        return Camera(
            focal=camera.focal * self.scale,
            cx=(camera.cx - self.x) * self.scale,
            cy=(camera.cy - self.y) * self.scale,
            width=size,
            height=size,
        )
