"""The drawn crop goes back into the frame: warped to its place, matched in colour, blended.

OpenCV warps, `kernels.blend` does the rest. Of the frame only what the blend mask covers is read or written.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from kernels.blend import blend, gains
from models.camera import Crop
from models.renderer_format import SIZE

FADE = 8
"""Width in px of the crop of the band along its border over which the drawn picture vanishes."""


class Compositor:
    """Pastes crops into frames. Holds buffers: one per thread."""

    def __init__(self) -> None:
        ramp = np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1]) / FADE
        self._fade = np.round(255 * np.minimum(np.minimum.outer(ramp, ramp), 1)).astype(np.uint8)
        self._alpha = np.empty((SIZE, SIZE), np.uint8)
        self._rgba = np.empty((SIZE, SIZE, 4), np.uint8)  # OpenCV warps four channels faster than three
        self._warped = np.empty(0, np.uint8)
        self._shrunk = np.empty(0, np.uint8)

    def paste(
        self,
        frame: UInt8[NDArray[np.uint8], "H W 3"],
        rgb: UInt8[NDArray[np.uint8], "256 256 3"],
        alpha: UInt8[NDArray[np.uint8], "256 256"],
        crop: Crop,
    ) -> None:
        """Blend `rgb` into `frame`, in place, where `alpha` (255 all, 0 none) says so.

        The crop may hang over the frame's border, or lie beyond it. Where alpha rises from 0 to 255 both pictures show
        the same skin: there the brightness of each channel of `rgb` is matched to the frame's.
        """
        cv2.multiply(alpha, self._fade, dst=self._alpha, scale=1 / 255)
        left, top, width, height = cv2.boundingRect(self._alpha)
        x0, x1 = _span(left, width, crop.x, crop.scale, frame.shape[1])
        y0, y1 = _span(top, height, crop.y, crop.scale, frame.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA, dst=self._rgba)
        cv2.insertChannel(self._alpha, self._rgba, 3)
        below = frame[y0:y1, x0:x1]
        patch = self._warp(crop, x0, y0, x1 - x0, y1 - y0)
        blend(below, patch, gains(below, patch))

    def _warp(self, crop: Crop, x: int, y: int, width: int, height: int) -> UInt8[NDArray[np.uint8], "h w 4"]:
        """The crop as the frame's pixels from (x, y) on see it.

        Where that shrinks it, it is drawn larger first and averaged, so that fine detail does not alias.
        """
        fold = max(1, math.floor(crop.scale + 0.5))
        step = crop.scale / fold
        matrix = np.array(
            [
                [step, 0, crop.scale * (x - crop.x) + 0.5 * step - 0.5],
                [0, step, crop.scale * (y - crop.y) + 0.5 * step - 0.5],
            ]
        )
        self._warped, large = _shaped(self._warped, fold * height, fold * width)
        cv2.warpAffine(
            self._rgba, matrix, (fold * width, fold * height), dst=large, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        if fold == 1:
            return large
        self._shrunk, small = _shaped(self._shrunk, height, width)
        cv2.resize(large, (width, height), dst=small, interpolation=cv2.INTER_AREA)
        return small


def _span(start: int, length: int, origin: float, scale: float, size: int) -> tuple[int, int]:
    """First and one past the last of `size` frame pixels on an axis that `length` crop pixels from `start` on reach."""
    first = math.floor(origin + (start - 1) / scale)  # a pixel more: interpolation reaches that far
    last = math.ceil(origin + (start + length + 1) / scale)
    return max(first, 0), min(last, size) if length else 0


def _shaped(
    buffer: UInt8[NDArray[np.uint8], "N"], height: int, width: int
) -> tuple[UInt8[NDArray[np.uint8], "M"], UInt8[NDArray[np.uint8], "h w 4"]]:
    """The buffer, grown where it is too small, and its beginning as a picture."""
    if len(buffer) < 4 * height * width:
        buffer = np.empty(4 * height * width, np.uint8)
    return buffer, buffer[: 4 * height * width].reshape(height, width, 4)
