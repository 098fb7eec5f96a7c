"""The turned square of the frame that a face network sees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

MARGIN = 1.5  # side of the square per side of the box around the points, for the face networks

Image = UInt8[np.ndarray, "H W 3"]
Points = Float32[np.ndarray, "M 3"]


@dataclass(frozen=True)
class Square:
    """Centre (frame px), side (px), roll (radians, clockwise on the screen)."""

    x: float
    y: float
    side: float
    roll: float

    @staticmethod
    def around(points: Points, right: Float32[np.ndarray, "3"], left: Float32[np.ndarray, "3"]) -> Square:
        """The square around points in the frame that has the person's `right` and `left` eye level."""
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        x, y = (low + high) / 2
        roll = math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))
        return Square(float(x), float(y), float((high - low).max()) * MARGIN, roll)

    def nudged(self, size: float, turn: float) -> Square:
        """This square `size` times as large and turned by `turn` radians."""
        return Square(self.x, self.y, self.side * size, self.roll + turn)

    def cut(self, frame: Image, size: int) -> UInt8[np.ndarray, "S S 3"]:
        """The square's picture at size × size px; outside the frame its edge is repeated."""
        step = self.side / size
        cos, sin = math.cos(self.roll) * step, math.sin(self.roll) * step
        matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
        middle = size / 2 - 0.5  # OpenCV counts pixel indices, whose centres are whole numbers
        matrix[:, 2] = [self.x - 0.5, self.y - 0.5] - matrix[:, :2] @ [middle, middle]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(frame, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def to_frame(self, points: Points, size: int) -> Points:
        """Points in px of `cut`'s picture (z in the same scale) to frame px."""
        step = self.side / size
        x, y, z = ((points - np.array([size / 2, size / 2, 0])) * step).T
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return np.stack([cos * x - sin * y + self.x, sin * x + cos * y + self.y, z], axis=1).astype(np.float32)

    def overlap(self, other: Square) -> float:
        """Intersection over union, 0..1, roll left out."""
        width = min(self.x + self.side / 2, other.x + other.side / 2)
        width -= max(self.x - self.side / 2, other.x - other.side / 2)
        height = min(self.y + self.side / 2, other.y + other.side / 2)
        height -= max(self.y - self.side / 2, other.y - other.side / 2)
        shared = max(0.0, width) * max(0.0, height)
        return shared / (self.side**2 + other.side**2 - shared)
