"""Lay one picture over another: colour match and alpha blend in one visit, in integers, on one core."""

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]
signed: Any = np.int64  # int() of a uint8 is unsigned in Numba

ALIKE = 48  # levels; pixels that differ by more show different things, such as a lip and a beard
ENOUGH = 64  # pixels, fewer say nothing about the light
LEAST_GAIN, MOST_GAIN = 0.8, 1.25
ONE = 1 << 16  # fixed point


@njit(nogil=True, error_model="numpy", cache=True)
def gains(picture: Array, patch: Array) -> tuple[int, int, int]:
    """What to multiply the patch's R, G, B with, in 1 / ONE, so that its soft rim is as bright as the picture there.

    A change of exposure is a gain; an offset as well could not be told from it on a rim of skin, and would lift the
    black inside a mouth. `picture`: uint8 [H, W, 3]. `patch`: uint8 [H, W, 4], RGB and alpha.
    """
    count = red = green = blue = drawn_red = drawn_green = drawn_blue = signed(0)  # a literal is a type of its own
    for y in range(patch.shape[0]):
        for x in range(patch.shape[1]):
            if 0 < patch[y, x, 3] < 255:
                r, g, b = signed(picture[y, x, 0]), signed(picture[y, x, 1]), signed(picture[y, x, 2])
                dr, dg, db = signed(patch[y, x, 0]), signed(patch[y, x, 1]), signed(patch[y, x, 2])
                if abs(dr - r) <= ALIKE and abs(dg - g) <= ALIKE and abs(db - b) <= ALIKE:
                    count += 1
                    red, green, blue = red + r, green + g, blue + b
                    drawn_red, drawn_green, drawn_blue = drawn_red + dr, drawn_green + dg, drawn_blue + db
    if count < ENOUGH:
        return ONE, ONE, ONE
    return _gain(red, drawn_red), _gain(green, drawn_green), _gain(blue, drawn_blue)


@njit(nogil=True, error_model="numpy")
def _gain(real: int, drawn: int) -> int:
    return int(ONE * min(max(real / max(drawn, 1), LEAST_GAIN), MOST_GAIN))


@njit(nogil=True, error_model="numpy", cache=True)
def blend(picture: Array, patch: Array, gain: tuple[int, int, int]) -> None:
    """Mix the patch into the picture, in place: alpha 0 keeps the picture, 255 takes the patch times its gain."""
    for y in range(patch.shape[0]):
        for x in range(patch.shape[1]):
            alpha = signed(patch[y, x, 3])
            if alpha == 0:
                continue
            alpha += alpha >> 7  # 0..256, so that the division is a shift and 255 takes all
            for channel in range(3):
                below = signed(picture[y, x, channel])
                above = min((signed(patch[y, x, channel]) * gain[channel] + (ONE >> 1)) >> 16, 255)
                picture[y, x, channel] = below + (((above - below) * alpha + 128) >> 8)
