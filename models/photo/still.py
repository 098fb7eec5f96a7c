"""A photo that lives: the head sways a little and the lids blink, while the room stands still."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from kernels.rasterizer import Rasterizer
from models.camera import project, transform
from models.motion import Motion
from models.photo.fit import PhotoFit
from models.photo.lids import Lids

FOLLOWS, FADES = 0.25, 0.6
"""Around the face hair and neck go with it, up to so much of its height; over so much more the motion fades away."""
COARSE = 8
"""px of the picture for one of the field in which the motion around the face is worked out."""
SEAM_PX = 6.0
"""Along the face's edge, inside, over which its own motion turns into that around it."""

Picture = UInt8[NDArray[np.uint8], "H W 3"]
Way = Float32[NDArray[np.float32], "H W 2"]
"""How far from each pixel its colour lies in the photo, px."""


class Still:
    """The photo at any moment. Holds buffers: one per thread."""

    def __init__(self, picture: Picture, fit: PhotoFit) -> None:
        """Take up a photo and the face in it."""
        height, width = picture.shape[:2]
        self._picture = picture
        self._fit = fit
        self._lids = Lids(fit.track.points[0])
        self._rasterizer = Rasterizer(height, width, fit.face.triangles)
        self._drawn = np.empty((height, width, 2), np.float32)
        shape = transform(fit.face.shape(None, fit.seen), fit.rotation, fit.translation)
        self._there = np.ascontiguousarray(project(fit.camera, shape)[:, :2])
        self._face_px = float(np.ptp(self._there[:, 1]))
        self._here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)

    def frame(self, motion: Motion) -> Picture:
        """The photo moved so."""
        fit = self._fit
        pose = motion.moved(fit.rotation, fit.translation)
        view = project(fit.camera, transform(fit.face.shape(None, fit.seen), *pose))
        self._rasterizer.draw(view.astype(np.float32), self._there, self._drawn, background=-1e9)
        known = self._drawn[..., 0] > -1e6
        way = np.where(known[..., None], self._drawn - 0.5 - self._here, 0).astype(np.float32)
        inside = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5)
        own = np.clip(inside / SEAM_PX, 0, 1)[..., None]
        place = self._here + own * way + (1 - own) * self._around(way, known)
        self._lids.seen(place, motion.lids)
        return np.asarray(
            cv2.remap(self._picture, place[..., 0], place[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )

    def _around(self, way: Way, known: NDArray[np.bool_]) -> Way:
        """The face's motion carried on beyond its edge, fading."""
        height, width = known.shape
        size = max(1, width // COARSE), max(1, height // COARSE)
        weight = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(way, size, interpolation=cv2.INTER_AREA)
        total, share = np.zeros_like(coarse), np.zeros_like(weight)
        for blur in (0.05, 0.15, 0.45):  # the nearest counts most; farther away there is only the mean
            sigma = blur * self._face_px / COARSE
            trust = 1000.0 ** (1 - blur / 0.05 / 4)
            total += trust * cv2.GaussianBlur(coarse, (0, 0), sigma)
            share += trust * cv2.GaussianBlur(weight, (0, 0), sigma)
        beyond = cv2.distanceTransform((weight < 0.5).astype(np.uint8), cv2.DIST_L2, 5) * COARSE / self._face_px
        fade = np.clip(1 - (beyond - FOLLOWS) / FADES, 0, 1)
        fade = fade * fade * (3 - 2 * fade)
        field = total / np.maximum(share, 1e-6)[..., None] * fade[..., None]
        return np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
