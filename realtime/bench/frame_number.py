"""A frame's number, painted into it so that whoever sees the frame can read it back, after any codec.

The number is a strip of 24 blocks, light or dark, over the top sixteenth of the picture: 18 bits of the number, least
on the left, and 6 bits of check. The blocks are wide enough for 256 px pictures in H.264 at call rates.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

NUMBER_BITS = 18
"""Bits of the number: it comes round after 87 minutes at 50 frames/s."""
CHECK_BITS = 6
BLOCKS = NUMBER_BITS + CHECK_BITS
PERIOD = 1 << NUMBER_BITS
CONTRAST = 60
"""Grey levels between the lightest dark and the darkest light block that make a strip believable."""


def paint(picture: NDArray[np.uint8], number: int) -> None:
    """Paint `number` (modulo `PERIOD`) into a picture, uint8 [H, W, 3], in place."""
    number %= PERIOD
    code = number | _check(number) << NUMBER_BITS
    bits = code >> np.arange(BLOCKS) & 1
    width = picture.shape[1] // BLOCKS
    strip = np.repeat(np.where(bits, 235, 16).astype(np.uint8), width)
    picture[: picture.shape[0] // 16, : len(strip)] = strip[:, None]


def read(luma: NDArray[np.uint8]) -> int | None:
    """The number painted into a picture, from its luma or any one channel, uint8 [H, W]; None if none is to be read."""
    height, width = luma.shape[0] // 16, luma.shape[1] // BLOCKS
    strip = luma[height // 4 : height - height // 4, : width * BLOCKS]
    blocks = strip.reshape(strip.shape[0], BLOCKS, width)[:, :, width // 4 : width - width // 4]
    return decode(blocks.mean((0, 2)))


def decode(levels: NDArray[np.floating]) -> int | None:
    """The number whose blocks have these grey levels, [BLOCKS]; None if they are no number."""
    light = levels > 125
    if not light.any() or light.all() or levels[light].min() - levels[~light].max() < CONTRAST:
        return None
    code = int((light.astype(np.int64) << np.arange(BLOCKS)).sum())
    number = code % PERIOD
    return number if code >> NUMBER_BITS == _check(number) else None


def _check(number: int) -> int:
    return crc32(number.to_bytes(4, "little")) % (1 << CHECK_BITS)
