"""478 points of a face: MediaPipe's attention mesh (Grishchenko et al. 2020) in OpenCV.

A trunk sees the face at 192 × 192 px and gives a coarse mesh; three heads look again at its early features around
the lips and each eye, and place those points, and the irises, better. The file holds operators that OpenCV does not
know, all of them between trunk and heads: they are done here, in NumPy.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from models.square import Image, Points, Square
from models.tflite_graph import cut

MESH_POINTS, ALL_POINTS = 468, 478
RIGHT_EYE, LEFT_EYE = 33, 263  # the person's; outer corners, which give the roll
SIZE, FEATURES = 192, 48  # px of the picture and of the feature map that the heads look at
PATCH, PATCH_PICTURE = 16, 64  # px of a head's view in features, and in its answers
PATCH_MARGIN = 1.5

# Point numbers, in the order in which the heads answer.
LIPS = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,  # outermost ring
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,  # innermost
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,  # second
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,  # third
]  # fmt: skip
RIGHT_EYE_POINTS = [
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,  # the lids' edge
    130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190,  # rings around it, outwards
    226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189,
    35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245,
    156, 70, 63, 105, 66, 107, 55, 193,  # brow
]  # fmt: skip
LEFT_EYE_POINTS = [
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398,
    359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414,
    446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413,
    265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465,
    383, 300, 293, 334, 296, 336, 285, 417,
]  # fmt: skip
LID_EDGE = 16  # so many of an eye's points, the first


@dataclass(frozen=True)
class _Head:
    view: str  # the tensor that it takes, which the missing operators would make
    answers: tuple[tuple[str, list[int]], ...]  # tensor, the points that it gives
    corners: tuple[int, int]  # level in the view


HEADS = (
    _Head("transform_tensor_bilinear_v2", (("conv_lips", LIPS),), (61, 291)),
    _Head(
        "transform_tensor_bilinear_v2_1",
        (("conv_left_eye", RIGHT_EYE_POINTS), ("conv_left_iris", list(range(468, 473)))),  # left in the picture
        (33, 133),
    ),
    _Head(
        "transform_tensor_bilinear_v2_2",
        (("conv_right_eye", LEFT_EYE_POINTS), ("conv_right_iris", list(range(473, 478)))),
        (362, 263),
    ),
)


class FaceMesh:
    """The network; one instance serves one thread."""

    TRUNK = ("p_re_lu_3", "output_mesh", "conv_faceflag")

    def __init__(self, path: Path) -> None:
        model = path.read_bytes()
        self._trunk = _network(cut(model, ["input_1"], list(self.TRUNK)))
        self._heads = [_network(cut(model, [head.view], [name for name, _ in head.answers])) for head in HEADS]

    def __call__(self, frame: Image, square: Square) -> tuple[Points, float]:
        """(points [478, 3] in frame px, probability that there is a face in the square)."""
        picture = square.cut(frame, SIZE) * np.float32(1 / 255)
        self._trunk.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
        features, mesh, logit = self._trunk.forward(self.TRUNK)
        points = np.zeros((ALL_POINTS, 3), np.float32)
        coarse = points[:MESH_POINTS] = mesh.reshape(MESH_POINTS, 3) * np.array([1, 1, -1], np.float32)
        for head, network in zip(HEADS, self._heads, strict=True):
            patch = _Patch.around(coarse, head)
            network.setInput(patch.sample(features[0])[None])
            answers = network.forward([name for name, _ in head.answers])
            for (_, numbers), answer in zip(head.answers, answers, strict=True):
                points[numbers, :2] = patch.to_picture(answer.reshape(-1, 2))
        points[468:473, 2] = coarse[RIGHT_EYE_POINTS[:LID_EDGE], 2].mean()
        points[473:478, 2] = coarse[LEFT_EYE_POINTS[:LID_EDGE], 2].mean()
        return square.to_frame(points, SIZE), 1 / (1 + math.exp(-float(logit.reshape(()))))


def face_square(points: Points) -> Square:
    """The square that the network wants to see next, from the points of this frame."""
    return Square.around(points[:MESH_POINTS], points[RIGHT_EYE], points[LEFT_EYE])


@dataclass(frozen=True)
class _Patch:
    """A turned rectangle in the trunk's picture, in its px: where a head looks."""

    centre: Float32[np.ndarray, "2"]
    axes: Float32[np.ndarray, "2 2"]  # columns: its width and its height as vectors

    @staticmethod
    def around(coarse: Float32[np.ndarray, "468 3"], head: _Head) -> _Patch:
        first, second = coarse[list(head.corners), :2]
        direction = (second - first) / max(1e-6, float(np.linalg.norm(second - first)))
        turn = np.array([[direction[0], -direction[1]], [direction[1], direction[0]]], np.float32)
        level = coarse[head.answers[0][1], :2] @ turn
        low, high = level.min(axis=0), level.max(axis=0)
        return _Patch(turn @ ((low + high) / 2), turn * (high - low) * np.float32(PATCH_MARGIN))

    def to_picture(self, answer: Float32[np.ndarray, "M 2"]) -> Float32[np.ndarray, "M 2"]:
        """A head's answers to px of the trunk's picture."""
        return (answer / PATCH_PICTURE - np.float32(0.5)) @ self.axes.T + self.centre

    def sample(self, features: Float32[np.ndarray, "C 48 48"]) -> Float32[np.ndarray, "C 16 16"]:
        """The features under the rectangle, bilinear, 0 outside."""
        step = ((np.arange(PATCH, dtype=np.float32) + np.float32(0.5)) / PATCH - np.float32(0.5)).astype(np.float32)
        grid = np.stack(np.meshgrid(step, step), axis=-1).reshape(-1, 2)
        at = (grid @ self.axes.T + self.centre) * np.float32(FEATURES / SIZE) - np.float32(0.5)
        inside = ((at >= 0) & (at <= FEATURES - 1)).all(axis=1)
        x0, y0 = np.clip(np.floor(at).astype(np.intp), 0, FEATURES - 2).T
        right, lower = (at - np.stack([x0, y0], axis=1)).T
        upper_row = features[:, y0, x0] * (1 - right) + features[:, y0, x0 + 1] * right
        lower_row = features[:, y0 + 1, x0] * (1 - right) + features[:, y0 + 1, x0 + 1] * right
        values = (upper_row * (1 - lower) + lower_row * lower) * inside
        return np.ascontiguousarray(values.reshape(-1, PATCH, PATCH), np.float32)


def _network(model: bytes) -> cv2.dnn.Net:
    # From a file, since OpenCV 5.0 ignores the engine for a buffer; the classic one, since the new gives one output.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.tflite"
        file.write_bytes(model)
        return cv2.dnn.readNetFromTFLite(str(file), cv2.dnn.ENGINE_CLASSIC)
