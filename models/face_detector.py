"""Faces anywhere in a frame: MediaPipe's short-range BlazeFace (Bazarevsky et al. 2019) in OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from models.square import Image, Square

INPUTS = 128, 256  # px; the network is convolutional: at twice its size it finds faces of half the size
MIN_LOGIT = 0.0  # a probability of one half
MAX_OVERLAP = 0.3  # finds that overlap more are one face


class FaceDetector:
    """The network; one instance serves one thread."""

    def __init__(self, path: Path) -> None:
        # The classic engine: the new one of OpenCV 5.0 hands out one output of several.
        self._networks = {size: cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC) for size in INPUTS}
        self._anchors = {size: _anchors(size) for size in INPUTS}

    def __call__(self, frame: Image) -> list[Square]:
        """The square that the mesh network wants to see of each face, the largest first."""
        found = [pair for size in INPUTS for pair in self._at(frame, size)]
        kept: list[Square] = []
        for _, square in sorted(found, key=lambda pair: -pair[0]):
            if all(square.overlap(other) < MAX_OVERLAP for other in kept):
                kept.append(square)
        return sorted(kept, key=lambda square: -square.side)

    def _at(self, frame: Image, size: int) -> list[tuple[float, Square]]:
        """(score, square) of each anchor that sees a face, the frame being shrunk to `size` px."""
        height, width = frame.shape[:2]
        whole = Square(width / 2, height / 2, float(max(width, height)), 0.0)
        picture = _letterboxed(frame, size) * np.float32(2 / 255) - 1
        network = self._networks[size]
        network.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
        boxes, logits = network.forward(["regressors", "classificators"])
        found = []
        for i in np.flatnonzero(logits.reshape(-1) >= MIN_LOGIT):
            # Box centre and size, then six points of the face, of which the right eye and the left come first.
            numbers = boxes[0, i].reshape(8, 2)
            half = numbers[1] / 2
            places = np.zeros((4, 3), np.float32)
            places[:, :2] = np.stack([numbers[0] - half, numbers[0] + half, *numbers[2:4]]) + self._anchors[size][i]
            placed = whole.to_frame(places, size)
            found.append((float(logits.reshape(-1)[i]), Square.around(placed[:2], placed[2], placed[3])))
        return found


def _letterboxed(frame: Image, size: int) -> Float32[np.ndarray, "S S 3"]:
    """The whole frame, shrunk without aliasing into the middle of a black square."""
    height, width = frame.shape[:2]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(frame, shape, interpolation=cv2.INTER_AREA)
    square = np.zeros((size, size, 3), np.float32)
    top, left = (size - small.shape[0]) // 2, (size - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def _anchors(size: int) -> Float32[np.ndarray, "A 2"]:
    """Centres (px) of the network's anchors: two per cell of 8 px, then six per cell of 16 px, row by row."""
    layers = []
    for stride, copies in ((8, 2), (16, 6)):
        centres = (np.arange(size // stride, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        layers.append(np.repeat(grid, copies, axis=0))
    return np.concatenate(layers)
