"""The drawn crop goes back into the frame: resampled to its place, matched in colour, blended.

Of the frame only what the blend mask covers is read or written.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from kernels.blend import blend, gains
from kernels.resample import resample
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
        self._rgba = np.empty((SIZE, SIZE, 4), np.uint8)
        self._patch = np.empty(0, np.uint8)

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
        x0, x1 = span(left, width, crop.x, crop.scale, frame.shape[1])
        y0, y1 = span(top, height, crop.y, crop.scale, frame.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA, dst=self._rgba)
        cv2.insertChannel(self._alpha, self._rgba, 3)
        below = frame[y0:y1, x0:x1]
        patch = self._patch_of(y1 - y0, x1 - x0)
        resample(self._rgba, patch, (x0 - crop.x) * crop.scale, (y0 - crop.y) * crop.scale, 1 / crop.scale)
        blend(below, patch, gains(below, patch))

    def _patch_of(self, height: int, width: int) -> UInt8[NDArray[np.uint8], "h w 4"]:
        """A part of the buffer, which grows with the largest patch so far."""
        if len(self._patch) < 4 * height * width:
            self._patch = np.empty(4 * height * width, np.uint8)
        return self._patch[: 4 * height * width].reshape(height, width, 4)


def span(start: int, length: int, origin: float, scale: float, size: int) -> tuple[int, int]:
    """First and one past the last of `size` frame pixels on an axis that `length` crop pixels from `start` on reach."""
    reach = 2 * max(1 / scale, 1)  # of the cubic kernel, in px of the frame
    first, last = math.floor(origin + start / scale - reach), math.ceil(origin + (start + length) / scale + reach)
    return max(first, 0), min(last, size) if length else 0
