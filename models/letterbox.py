"""A picture at another size: scaled once, and centred between black bars if the shape differs."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray


class Letterbox:
    """Brings pictures of one size to another."""

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """Both sizes are (width, height), px."""
        self._shape = (target[1], target[0], 3)
        scale = min(wanted / given for wanted, given in zip(target, source, strict=True))
        width, height = (max(1, round(scale * length)) for length in source)
        left, top = (target[0] - width) // 2, (target[1] - height) // 2
        self._inside = slice(top, top + height), slice(left, left + width)
        self._filter = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC if scale > 1 else None

    def __call__(self, picture: UInt8[NDArray[np.uint8], "H W 3"]) -> UInt8[NDArray[np.uint8], "height width 3"]:
        """The picture at the target's size; itself if that is its own."""
        if picture.shape == self._shape:
            return picture
        framed = np.zeros(self._shape, np.uint8)
        inside = framed[self._inside]
        if self._filter is None:
            inside[:] = picture
        else:
            cv2.resize(picture, inside.shape[1::-1], dst=inside, interpolation=self._filter)
        return framed
