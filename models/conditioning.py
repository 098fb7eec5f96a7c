"""What the renderer sees of one frame: the rasterized face, the photo without its lower face, and the hole's mask.

One code for training and live, so that the network meets live exactly what it was trained on. NumPy, OpenCV and the
rasterizer; no torch.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, Int32, UInt8
from numpy.typing import NDArray

from kernels.normals import vertex_normals
from kernels.rasterizer import Rasterizer
from kernels.resample import resample
from models.camera import Camera, Crop, project, transform
from models.face_model import FaceModel
from models.renderer_format import BLANK, CHANNELS, SIZE

Picture = UInt8[NDArray[np.uint8], "H W 3"]


class Conditioner:
    """Draws one person's face for the renderer. Holds buffers: one per thread.

    The position code is the projected normalised coordinate code of Zhu et al., *Face Alignment Across Large Poses*,
    CVPR 2016: each surface point is coloured by where it lies on the person's neutral face, so colour means place
    whatever the pose and expression.
    """

    def __init__(self, face: FaceModel, camera: Camera) -> None:
        self._face = face
        self._camera = camera
        self._rasterizer = Rasterizer(SIZE, SIZE, face.triangles)
        low, high = face.mean.min(axis=0), face.mean.max(axis=0)
        self._normals = np.empty(face.mean.shape, np.float32)
        self._attributes = np.zeros((len(face.mean), CHANNELS), np.float32)
        self._attributes[:, :3] = (face.mean - low) / (high - low)
        self._attributes[face.regions["inner_mouth"], 5] = 1

    def __call__(
        self,
        picture: Picture,
        expression: Float32[NDArray[np.float32], "K"],
        rotation: Float32[NDArray[np.float32], "3"],
        translation: Float32[NDArray[np.float32], "3"],
        crop: Crop,
        hole: Int32[NDArray[np.int32], "P 2"],
    ) -> dict[str, UInt8[NDArray[np.uint8], "1 256 256 C"]]:
        """The renderer's inputs by name, for a background `picture` whose face has this pose.

        `rotation`, `translation`: head to camera. `hole`: outline of the lower face, px of the crop.
        Returns "face" with CHANNELS channels, "photo" with the hole blanked, and "mask" (255 in the hole).
        """
        mask = hole_mask(hole)
        photo = cut(picture, crop)
        cv2.fillPoly(photo, [hole], (BLANK, BLANK, BLANK))
        face = self.face(expression, rotation, translation, crop)
        return {"face": face[None], "photo": photo[None], "mask": mask[None, ..., None]}

    def face(
        self,
        expression: Float32[NDArray[np.float32], "K"],
        rotation: Float32[NDArray[np.float32], "3"],
        translation: Float32[NDArray[np.float32], "3"],
        crop: Crop,
    ) -> UInt8[NDArray[np.uint8], "256 256 6"]:
        """The rasterized face in the crop; 0 where there is none."""
        vertices = transform(self._face.shape(None, expression), rotation, translation)
        vertex_normals(vertices, self._face.triangles, self._normals)
        self._attributes[:, 3:5] = 0.5 + 0.5 * self._normals[:, :2]
        out = np.empty((SIZE, SIZE, CHANNELS), np.uint8)
        self._rasterizer.draw(project(crop.camera(self._camera, SIZE), vertices), self._attributes, out)
        return out


def cut(picture: Picture, crop: Crop) -> UInt8[NDArray[np.uint8], "256 256 3"]:
    """The crop of a frame; beyond the frame its border goes on."""
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    resample(picture, out, crop.x, crop.y, crop.scale)
    return out


def hole_mask(hole: Int32[NDArray[np.int32], "P 2"]) -> UInt8[NDArray[np.uint8], "256 256"]:
    """255 inside the outline (px of the crop), 0 outside."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [hole], 255)
    return mask
