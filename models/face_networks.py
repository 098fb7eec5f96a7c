"""MediaPipe's three face networks in OpenCV: a picture in, boxes or points in frame px out.

BlazeFace (Bazarevsky et al. 2019) finds faces, the face mesh (Kartynnik et al. 2019) gives 468 points, the iris network
(Ablavatski et al. 2020) five more per eye. Decoding follows the published graphs' constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

MESH_POINTS, IRIS_POINTS = 468, 5
EYE_CORNERS = (33, 133), (362, 263)  # the person's right eye (outer, inner), left eye (inner, outer)
RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners: they give the roll

# A square side that the mesh network sees, per side of the box around the points; the iris network's, per eye width.
MESH_MARGIN, IRIS_MARGIN = 1.5, 2.3
NET_SIZES = {"face_detection_short_range": 128, "face_landmark": 192, "iris_landmark": 64}

Image = UInt8[np.ndarray, "H W 3"]
Points = Float32[np.ndarray, "M 3"]


@dataclass(frozen=True)
class Square:
    """A turned square in the frame: centre (px), side (px), roll (radians, clockwise on the screen)."""

    x: float
    y: float
    side: float
    roll: float

    def cut(self, frame: Image, size: int, mirrored: bool = False) -> Image:
        """The square's picture at size × size px; outside the frame its edge is repeated."""
        step = self.side / size
        cos, sin = math.cos(self.roll) * step, math.sin(self.roll) * step
        flip = -1.0 if mirrored else 1.0
        matrix = np.array([[cos * flip, -sin, 0.0], [sin * flip, cos, 0.0]])
        middle = size / 2 - 0.5  # pixel index of the crop's centre
        matrix[:, 2] = [self.x - 0.5, self.y - 0.5] - matrix[:, :2] @ [middle, middle]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(frame, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def to_frame(self, points: Points, size: int, mirrored: bool = False) -> Points:
        """Points in px of `cut`'s picture, z towards the camera in the same scale, to frame px."""
        step = self.side / size
        centred = (points - np.array([size / 2, size / 2, 0], np.float32)) * step
        if mirrored:
            centred[:, 0] *= -1
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        x = cos * centred[:, 0] - sin * centred[:, 1] + self.x
        y = sin * centred[:, 0] + cos * centred[:, 1] + self.y
        return np.stack([x, y, centred[:, 2]], axis=1).astype(np.float32)


def face_square(points: Points) -> Square:
    """The square that the mesh network wants to see next, from the points of this frame."""
    low, high = points[:MESH_POINTS, :2].min(axis=0), points[:MESH_POINTS, :2].max(axis=0)
    x, y = (low + high) / 2
    return Square(
        float(x), float(y), float((high - low).max()) * MESH_MARGIN, _roll(points[RIGHT_EYE], points[LEFT_EYE])
    )


def _roll(right: np.ndarray, left: np.ndarray) -> float:
    return math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))


class FaceDetector:
    """All faces in a frame, the largest first."""

    INPUTS = 128, 256  # the network is convolutional: twice the picture finds faces of half the size
    MIN_LOGIT = 0.0  # a probability of one half
    MAX_OVERLAP = 0.3

    def __init__(self, path: Path) -> None:
        self._nets = {size: _load(path) for size in self.INPUTS}
        self._anchors = {size: _anchors(size) for size in self.INPUTS}

    def __call__(self, frame: Image) -> list[Square]:
        """The squares for the mesh network; of overlapping finds the surest is kept."""
        found = [pair for size in self.INPUTS for pair in self._at(frame, size)]
        kept: list[Square] = []
        for _, square in sorted(found, key=lambda pair: -pair[0]):
            if all(overlap(square, other) < self.MAX_OVERLAP for other in kept):
                kept.append(square)
        return sorted(kept, key=lambda square: -square.side)

    def _at(self, frame: Image, size: int) -> list[tuple[float, Square]]:
        """(score, square) of each anchor that sees a face, the frame being shrunk to `size` px."""
        height, width = frame.shape[:2]
        whole = Square(width / 2, height / 2, max(width, height), 0.0)
        picture = _letterboxed(frame, size) * np.float32(2 / 255) - 1
        boxes, logits = _run(self._nets[size], picture, ["regressors", "classificators"])
        logits = logits.reshape(-1)
        found = []
        for i in np.flatnonzero(logits >= self.MIN_LOGIT):
            # Box centre, size, then six points, of which the eyes come first: the right, the left.
            numbers = boxes[0, i].reshape(8, 2)
            places = np.zeros((3, 3), np.float32)
            places[:, :2] = numbers[[0, 2, 3]] + self._anchors[size][i]
            (x, y, _), right, left = whole.to_frame(places, size)
            side = float(numbers[1].max()) * whole.side / size * MESH_MARGIN
            found.append((float(logits[i]), Square(float(x), float(y), side, _roll(right, left))))
        return found


class FaceMesh:
    """468 points of the face inside a square."""

    def __init__(self, path: Path) -> None:
        self._net = _load(path)

    def __call__(self, frame: Image, square: Square) -> tuple[Points, float]:
        """(points [468, 3] in frame px, probability that there is a face)."""
        size = NET_SIZES["face_landmark"]
        points, logit = _run(self._net, square.cut(frame, size) * np.float32(1 / 255), ["conv2d_21", "conv2d_31"])
        points = points.reshape(MESH_POINTS, 3) * np.array([1, 1, -1], np.float32)
        return square.to_frame(points, size), 1 / (1 + math.exp(-float(logit.reshape(()))))


class Irises:
    """Ten points: centre and rim of the person's right iris, then of the left."""

    def __init__(self, path: Path) -> None:
        self._net = _load(path)

    def __call__(self, frame: Image, mesh: Points) -> Points:
        """`mesh` are the 468 points; returns [10, 3] in frame px, z that of the eye's corners."""
        size = NET_SIZES["iris_landmark"]
        both = []
        for (first, second), mirrored in zip(EYE_CORNERS, (False, True), strict=True):
            a, b = mesh[first], mesh[second]
            x, y, z = (a + b) / 2
            side = IRIS_MARGIN * float(np.linalg.norm((b - a)[:2]))
            square = Square(float(x), float(y), side, _roll(a, b))
            picture = square.cut(frame, size, mirrored) * np.float32(1 / 255)
            (iris,) = _run(self._net, picture, ["output_iris"])
            points = square.to_frame(iris.reshape(IRIS_POINTS, 3), size, mirrored)
            points[:, 2] = z
            both.append(points)
        return np.concatenate(both)


def _load(path: Path) -> cv2.dnn.Net:
    # The classic engine: the new one of OpenCV 5.0 hands out one output of several.
    return cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)


def _run(net: cv2.dnn.Net, picture: Float32[np.ndarray, "H W 3"], outputs: list[str]) -> list[np.ndarray]:
    net.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
    return list(net.forward(outputs))


def _letterboxed(frame: Image, size: int) -> Float32[np.ndarray, "S S 3"]:
    """The whole frame, shrunk without aliasing into the middle of a black square."""
    height, width = frame.shape[:2]
    scale = size / max(height, width)
    small = cv2.resize(
        frame, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    square = np.zeros((size, size, 3), np.float32)
    top, left = (size - small.shape[0]) // 2, (size - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def _anchors(size: int) -> Float32[np.ndarray, "A 2"]:
    """Centres (px) of the detector's anchors: two per cell of 8 px, then six per cell of 16 px, row by row."""
    layers = []
    for stride, copies in ((8, 2), (16, 6)):
        centres = (np.arange(size // stride, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        layers.append(np.repeat(grid, copies, axis=0))
    return np.concatenate(layers)


def overlap(a: Square, b: Square) -> float:
    """Intersection over union of two squares, their roll left out."""
    width = min(a.x + a.side / 2, b.x + b.side / 2) - max(a.x - a.side / 2, b.x - b.side / 2)
    height = min(a.y + a.side / 2, b.y + b.side / 2) - max(a.y - a.side / 2, b.y - b.side / 2)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (a.side**2 + b.side**2 - shared)
