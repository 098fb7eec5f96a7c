"""The pass that finds the triangle of each pixel, on one CPU core.

Half of all triangles turn their back, most others own a few pixels, and which ones is as good as random: with a branch
for each, a processor mostly repairs its wrong guesses. So triangles go by in chunks, through short loops without
branches, of which LLVM makes SIMD: fetch corners, find those that may own a pixel, list them, and find what each owns
of a block of 8 × 4 pixels, as the bits of a number. Only those pixels are then visited one by one.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from kernels.coverage import Corners, build
from kernels.shading import checksum

Array = np.ndarray[Any, Any]
Int = Any  # np.int32 or np.uint64; the latter has no test for Python's negative indices
Vertices = tuple[Int, Int, Int]

# Numba's file cache looks at a function's own file only; with this as a default argument, also at what it includes.
# All passes share the one value: with different ones, Numba looks types up in Python at every call, for 0.1 ms.
DEFINITION = checksum("coverage.py") ^ checksum("shading.py")

CHUNK = 512  # triangles
WIDTH, HEIGHT = 8, 4  # px; of a block
SMALL = np.int32(16 << 8)  # in 1/256 px; larger triangles are drawn one by one, row by row, with 64 bits
BLOCKS = CHUNK * 2 * 4 + 32  # at most, as a small triangle's box has up to 16 × 16 pixels; and SIMD's surplus

_ONE, _TWO, _THREE, _LANES = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(31)
_BIT, _SIGN = np.uint32(1), np.uint32(31)
# Where the rows of the arrays of `Chunk` begin: T for those of triangles, B for those of blocks. They are flat because
# LLVM sees then that rows do not overlap, and a little longer than needed so that they do not meet in the L1 cache.
_COUNT = np.uint64(CHUNK)
_T0, _T1, _T2, _T3, _T4, _T5, _T6 = (np.uint64(row * (CHUNK + 16)) for row in range(7))
_B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9, _B10 = (np.uint64(row * (BLOCKS + 16)) for row in range(1, 11))
# Of the pixel that each bit of a block stands for; the first one is the highest.
_ROWS, _COLUMNS = np.divmod(np.arange(WIDTH * HEIGHT)[::-1].astype(np.float64), WIDTH)

# Multiply and add may be fused, as CUDA does; `coverage.py` says why that changes no decision. What Python never calls
# needs nothing to be called by, which takes a fifth of the compiler's time.
_njit: Any = partial(njit, nogil=True, error_model="numpy", fastmath={"contract"}, no_cfunc_wrapper=True)
compiled, _called = _njit(cache=True), _njit(no_cpython_wrapper=True)
inlined = _njit(no_cpython_wrapper=True, forceinline=True)
_lowest: Any = trailing_zeros


@inlined
def _lower(keys: Array, row: int, column: int, key: int) -> None:
    if key < keys[np.uint64(row), np.uint64(column)]:  # unsigned: no test for Python's negative indices
        keys[np.uint64(row), np.uint64(column)] = key


_any_size, _small = build(inlined, _lower, np.int32, np.int64), build(inlined, _lower, np.int32, np.int32)
_facing, _box, _fill_wide = _any_size.facing, _any_size.box, _any_size.fill_wide
_edges, _steps, _nearness, _key_of = _small.edges, _small.steps, _small.nearness, _small.key_of


class Chunk(NamedTuple):
    """What the loops of `scatter` hand over; of no value afterwards."""

    corners: Array  # int64, three rows: positions, clockwise
    found: Array  # int32: may own a pixel; had corners swapped; first column or -1 if not small, last; first row, last
    listed: Array  # int64: places in the chunk of those that may own one
    blocks: Array  # int64, three rows: corners of the block's triangle
    places: Array  # int32: its number, whether corners were swapped; first column and row of the block
    owned: Array  # uint32: a bit for each pixel of the block
    terms: Array  # float64: three edge values at the first pixel, what they grow to the right and down; 1/area
    offsets: Array  # int32: of the pixel of each bit from the block's first in the picture's memory


def chunk_for(width: int) -> Chunk:
    """What `scatter` needs for a picture of this width: 0.5 MB."""
    return Chunk(
        np.zeros(_T3, np.int64), np.zeros(_T6, np.int32), np.zeros(_T1, np.int64),
        np.zeros(_B3, np.int64), np.zeros(_B4, np.int32), np.zeros(_B1, np.uint32), np.zeros(_B10),
        (_ROWS * width + _COLUMNS).astype(np.int32),
    )  # fmt: skip


@inlined
def _unpack(packed: Array, at: Int, second: Int, third: Int) -> Corners:
    a, b, c = packed[at], packed[at + second], packed[at + third]
    return np.int32(a), np.int32(a >> 32), np.int32(b), np.int32(b >> 32), np.int32(c), np.int32(c >> 32)


@inlined
def _names(triangles: Array, f: Int, swapped: Int) -> Vertices:
    at, other = _THREE * f, np.uint64(swapped)
    return np.uint32(triangles[at]), np.uint32(triangles[at + _ONE + other]), np.uint32(triangles[at + _TWO - other])


@_called
def _fetch(positions: Array, triangles: Array, first: Int, count: Int, corners: Array) -> None:
    for i in range(count):
        at = _THREE * (first + i)
        corners[i] = positions[np.uint32(triangles[at])]
        corners[i + _T1] = positions[np.uint32(triangles[at + _ONE])]
        corners[i + _T2] = positions[np.uint32(triangles[at + _TWO])]


@_called
def _find(corners: Array, count: Int, cull: bool, height: int, width: int, found: Array) -> None:
    """Who may own pixels, and which; and put corners in clockwise order."""
    for i in range(count):
        given = _unpack(corners, i, _T1, _T2)
        ax, ay, bx, by, cx, cy = given
        area = _facing(given, cull)
        (first_row, last_row), (first_column, last_column) = _box(given, height, width)
        left, top, right, bottom = min(ax, bx, cx), min(ay, by, cy), max(ax, bx, cx), max(ay, by, cy)
        whole = (left >= 0) & (top >= 0) & (right < width << 8) & (bottom < height << 8)
        small = (np.int32(right - left) < SMALL) & (np.int32(bottom - top) < SMALL)
        b, c, swapped = corners[i + _T1], corners[i + _T2], area < 0
        corners[i + _T1], corners[i + _T2] = c if swapped else b, b if swapped else c
        found[i] = (area != 0) & (first_row <= last_row) & (first_column <= last_column)
        found[i + _T1] = swapped
        found[i + _T2], found[i + _T3] = first_column if whole & small else np.int32(-1), last_column
        found[i + _T4], found[i + _T5] = first_row, last_row


@_called
def _list(found: Array, count: Int, listed: Array) -> Int:
    """How many may own pixels, after listing them."""
    total = _T0
    for i in range(count):
        listed[total] = i
        total += np.uint64(found[i])
    return total


@_called
def _cover(blocks: Array, places: Array, count: Int, owned: Array, terms: Array) -> None:
    """Which pixels of its block each triangle owns, and the terms of the edge values."""
    for i in range(count):
        ax, ay, bx, by, cx, cy = _unpack(blocks, i, _B1, _B2)
        x, y = places[i + _B2] << 8, places[i + _B3] << 8
        corners = (
            np.int32(ax - x), np.int32(ay - y), np.int32(bx - x), np.int32(by - y), np.int32(cx - x), np.int32(cy - y)
        )  # fmt: skip
        w0, w1, w2 = _edges(corners, 0, 0)
        right0, right1, right2, below0, below1, below2, t0, t1, t2 = _steps(corners)
        terms[i], terms[i + _B1], terms[i + _B2] = w0, w1, w2
        terms[i + _B3], terms[i + _B4], terms[i + _B5] = right0, right1, right2
        terms[i + _B6], terms[i + _B7], terms[i + _B8] = below0, below1, below2
        terms[i + _B9] = 1.0 / np.float64(np.int32(w0 + w1 + w2))
        row0, row1, row2 = np.int32(w0 - t0), np.int32(w1 - t1), np.int32(w2 - t2)
        outside = np.uint32(0)
        for _ in range(HEIGHT):
            w0, w1, w2 = row0, row1, row2
            for _ in range(WIDTH):
                outside = np.uint32((outside << _BIT) | (np.uint32(w0 | w1 | w2) >> _SIGN))  # a sign bit set: outside
                w0, w1, w2 = np.int32(w0 + right0), np.int32(w1 + right1), np.int32(w2 + right2)
            row0, row1, row2 = np.int32(row0 + below0), np.int32(row1 + below1), np.int32(row2 + below2)
        owned[i] = ~outside


@_called
def _draw(
    inverse_depth: Array, triangles: Array, places: Array, owned: Array, terms: Array, offsets: Array, count: Int,
    keys: Array,
) -> None:  # fmt: skip
    """Lower the keys of the pixels that triangles own in their blocks."""
    for i in range(count):
        bits = owned[i]
        if bits == 0:
            continue
        a, b, c = _names(triangles, np.uint64(places[i]), places[i + _B1])
        q0, q1, q2 = np.float64(inverse_depth[a]), np.float64(inverse_depth[b]), np.float64(inverse_depth[c])
        first = places[i + _B3] * keys.shape[1] + places[i + _B2]
        while bits != 0:
            bit = np.uint64(_lowest(bits))
            bits = np.uint32(bits & np.uint32(bits - _BIT))
            column, row = _COLUMNS[bit], _ROWS[bit]
            # Integers, so small that float64 holds them exactly.
            w0 = terms[i] + column * terms[i + _B3] + row * terms[i + _B6]
            w1 = terms[i + _B1] + column * terms[i + _B4] + row * terms[i + _B7]
            w2 = terms[i + _B2] + column * terms[i + _B5] + row * terms[i + _B8]
            near = _nearness(w0, w1, w2, q0, q1, q2, terms[i + _B9])
            # Row 0 goes on into the next ones.
            _lower(keys, 0, first + offsets[bit], _key_of(near, places[i]))


@compiled
def scatter(
    positions: Array, inverse_depth: Array, triangles: Array, cull: bool, keys: Array,
    corners: Array, found: Array, listed: Array, blocks: Array, places: Array, owned: Array, terms: Array,
    offsets: Array, definition: int = DEFINITION,
) -> None:  # fmt: skip
    """Lower keys int64 [H, W] to the least key of the triangles int32 [F · 3] that own each pixel's centre.

    `positions`: int64 [V], x of `snap` in the low half and y in the high one. `inverse_depth`: float32 [V].
    The rest are those of a `Chunk`, apart from each other because Numba allocates to find the type of a tuple.
    """
    height, width = keys.shape
    faces = np.uint64(triangles.size) // _THREE
    for part in range((faces + _COUNT - _ONE) // _COUNT):
        start, waiting = part * _COUNT, _T0
        count = min(_COUNT, faces - start)
        _fetch(positions, triangles, start, count, corners)
        _find(corners, count, cull, height, width, found)
        for number in range(_list(found, count, listed)):
            i = np.uint64(listed[number])
            left, right, row, last_row = found[i + _T2], found[i + _T3], found[i + _T4], found[i + _T5]
            if left < 0:
                a, b, c = _names(triangles, start + i, found[i + _T1])
                nears, given = (inverse_depth[a], inverse_depth[b], inverse_depth[c]), _unpack(corners, i, _T1, _T2)
                _fill_wide(np.int64(start + i), given, nears, _facing(given, False), _box(given, height, width), keys)
                continue
            column = left
            while row <= last_row:
                blocks[waiting], blocks[waiting + _B1] = corners[i], corners[i + _T1]
                blocks[waiting + _B2] = corners[i + _T2]
                places[waiting], places[waiting + _B1] = start + i, found[i + _T1]
                places[waiting + _B2], places[waiting + _B3] = column, row
                waiting += _ONE
                column += WIDTH
                if column > right:
                    column, row = left, row + HEIGHT
        whole = (waiting + _LANES) & ~_LANES  # SIMD registers; nobody looks at the surplus
        _cover(blocks, places, whole, owned, terms)
        _draw(inverse_depth, triangles, places, owned, terms, offsets, waiting, keys)
