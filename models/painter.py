"""One picture: the face at an expression, drawn by the renderer and pasted into a frame of the person's own video."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int32, UInt8
from numpy.typing import NDArray

from models.camera import Camera, Crop
from models.composite import Compositor
from models.conditioning import Conditioner
from models.face_model import FaceModel
from models.network import Network


class Painter:
    """Paints one person. Holds buffers: one per thread."""

    def __init__(self, face: FaceModel, camera: Camera, renderer: Network) -> None:
        self._conditioner = Conditioner(face, camera)
        self._compositor = Compositor()
        self._renderer = renderer

    def paint(
        self,
        picture: UInt8[NDArray[np.uint8], "H W 3"],
        expression: Float32[NDArray[np.float32], " K"],
        rotation: Float32[NDArray[np.float32], "3"],
        translation: Float32[NDArray[np.float32], "3"],
        crop: Crop,
        hole: Int32[NDArray[np.int32], "P 2"],
    ) -> None:
        """Give `picture`, in place, the lower face of `expression`. The other arguments say where its face is."""
        inputs = self._conditioner(picture, expression, rotation, translation, crop, hole)
        drawn = self._renderer(inputs)
        self._compositor.paste(picture, drawn["rgb"][0], drawn["alpha"][0, ..., 0], crop)
