"""What a triangle does to a pixel: scalar functions written once and compiled twice, for the CPU and for CUDA.

Positions are integers in 1/256 px, counted from the centre of the top left pixel, so that pixel (row, column) has its
centre at exactly (256 column, 256 row). Edge functions are 64-bit integers: two triangles that share an edge get
exactly opposite values on it, and the top-left rule gives a centre on the edge to one of them. Nothing that decides
which triangle a pixel shows may depend on rounding: products are exact in float64 before they are added (24-bit
factors), so a compiler may fuse multiply and add or not, and the CPU, CUDA and `reference.py` agree to the last bit.

The functions are plain Python; `build` compiles them with `numba.njit` or `numba.cuda.jit(device=True)`.
"""

import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Int = Any  # np.int64, np.int32 or int
Float = Any  # np.float32
Array = Any  # NumPy or CUDA
Function = Any  # plain or compiled

SUBPIXELS = 256  # positions per pixel
LIMIT = 2.0**21  # px; further out, 64-bit edge functions could overflow
NEAR, FAR = 2.0**-3, 2.0**30  # cm; a vertex must lie strictly between (limits are exact in float32)
REJECTED = -(2**31)  # x of a vertex that is behind the camera or beyond LIMIT: its triangles are not drawn
EMPTY = 2**63 - 1  # key of a pixel without a triangle: 1/depth 0, and its low half is -1
WIDE = 12  # px; in a wider box it pays to compute where a row begins and ends, rather than to test each pixel


def checksum(name: str) -> int:
    """Changes with a file of this room; see `cpu.py`."""
    return zlib.crc32(Path(__file__).with_name(name).read_bytes())


DEFINITION = checksum("shading.py")


def snap(u: Float, v: Float, depth: Float) -> tuple[Int, Int, Float]:
    """Position (u px, v px, depth cm) -> (x, y in 1/256 px from the first pixel's centre, 1/depth)."""
    if not (NEAR < depth < FAR and -LIMIT < u < LIMIT and -LIMIT < v < LIMIT):  # also when one is NaN
        return np.int32(REJECTED), np.int32(0), np.float32(0)
    x = np.int32(math.floor(np.float64(u) * 256.0 - 127.5))  # - 128 to the pixel's centre, + 0.5 to round
    y = np.int32(math.floor(np.float64(v) * 256.0 - 127.5))
    return x, y, np.float32(1) / np.float32(depth)


def edge(ax: Int, ay: Int, bx: Int, by: Int, px: Int, py: Int) -> Int:
    """Twice the signed area of a, b, p: positive when p lies right of a -> b on the screen (v points down)."""
    return (np.int64(ax) - px) * (np.int64(by) - py) - (np.int64(ay) - py) * (np.int64(bx) - px)


def threshold(ax: Int, ay: Int, bx: Int, by: Int) -> Int:
    """Least edge value inside a clockwise triangle: 0 on a top or left edge, which owns its pixels, else 1."""
    return np.int64(0) if by < ay or (by == ay and bx > ax) else np.int64(1)


def bounds(a: Int, b: Int, c: Int, size: Int) -> tuple[Int, Int]:
    """First and last of `size` pixels along one axis whose centres lie between the corners; first > last for none."""
    low, high = min(a, b, c), max(a, b, c)
    return max((low + 255) >> 8, 0), min(high >> 8, size - 1)


def nearness(w0: Int, w1: Int, w2: Int, q0: Float, q1: Float, q2: Float, scale: Float) -> Float:
    """1/depth from the three edge values, 1/depth at the corners opposite to them (float64), and 1/(their sum)."""
    total = np.float64(np.float32(w0)) * q0
    total += np.float64(np.float32(w1)) * q1
    total += np.float64(np.float32(w2)) * q2
    return np.float32(total * scale)


def key_of(near: Float, triangle: Int) -> Int:
    """Nearer is less, and at equal depth the lower triangle: positive floats sort as their bits do."""
    return (np.int64(0x7FFFFFFF - np.float32(near).view(np.int32)) << np.int64(32)) | np.int64(triangle)


def narrow(first: Int, last: Int, value: Int, step: Int, least: Int) -> tuple[Int, Int]:
    """Of the pixels first..last of a row, those where an edge that is `value` at 0 and grows by `step` is `least`."""
    if step > 0:
        return max(first, -((value - least) // step)), last
    if step < 0:
        return first, min(last, (value - least) // -step)
    return first, last if value >= least else first - 1


def to_byte(value: Float) -> Int:
    """0..1 -> 0..255, halves up, clipped; NaN gives 0."""
    positive = value if value > np.float32(0) else np.float32(0)
    return np.uint8(np.int32(min(positive, np.float32(1)) * np.float32(255) + np.float32(0.5)))


def irradiance(nx: Float, ny: Float, nz: Float, light: Array, channel: Int) -> Float:
    """Light on a surface with this unit normal: nine bands of spherical harmonics, times Lambert's cosine lobe.

    Ramamoorthi and Hanrahan, *An Efficient Representation for Irradiance Environment Maps*, SIGGRAPH 2001, with the
    order, signs and scale of the bands (√3 and √8 times Lambert's) of Deep3D and AudioDVP, so that their coefficients
    can be used. `light`: float32 [9, 3], bands × colours.
    """
    return (
        np.float32(0.886227) * light[0, channel]
        + np.float32(1.772454) * (nz * light[2, channel] - ny * light[1, channel] - nx * light[3, channel])
        + np.float32(2.427032)
        * (
            nx * ny * light[4, channel]
            - ny * nz * light[5, channel]
            + np.float32(0.288675) * (np.float32(3) * nz * nz - np.float32(1)) * light[6, channel]
            - nx * nz * light[7, channel]
            + np.float32(0.5) * (nx * nx - ny * ny) * light[8, channel]
        )
    )


class Shading(NamedTuple):
    """The compiled functions that the passes of `cpu.py` and `cuda.py` call."""

    snap: Any
    cover: Any
    weights: Any
    irradiance: Any
    to_byte: Any


def build(jit: Callable[[Function], Function], lower: Function) -> Shading:
    """Compile with `jit`; `lower(keys, row, column, key)` is the minimum in place, compiled in the same way."""
    edge_, threshold_, bounds_, nearness_ = map(jit, (edge, threshold, bounds, nearness))
    key_of_, narrow_ = jit(key_of), jit(narrow)

    @jit
    def cover(
        triangle: Int,
        ax: Int, ay: Int, qa: Float,
        bx: Int, by: Int, qb: Float,
        cx: Int, cy: Int, qc: Float,
        cull: bool,
        lane: Int,
        lanes: Int,
        keys: Array,
    ) -> None:  # fmt: skip
        """Lower the key of every pixel whose centre the triangle owns; corners as `snap` gives them, in int64.

        Of the rows of its box, every `lanes`-th from `lane` on: so many callers share a triangle.
        """
        area = edge_(ax, ay, bx, by, cx, cy)
        if area == 0 or (cull and area > 0):  # counter-clockwise with y up is negative with v down
            return
        if area < 0:
            bx, by, qb, cx, cy, qc = cx, cy, qc, bx, by, qb
            area = -area
        if min(ax, bx, cx) == REJECTED:
            return
        first_column, last_column = bounds_(ax, bx, cx, keys.shape[1])
        first_row, last_row = bounds_(ay, by, cy, keys.shape[0])
        first_row += lane
        if first_column > last_column or first_row > last_row:
            return
        t0, t1, t2 = threshold_(bx, by, cx, cy), threshold_(cx, cy, ax, ay), threshold_(ax, ay, bx, by)
        # Edge values grow linearly: by these steps from one pixel to the next, from the box's first pixel on.
        right0, right1, right2 = (by - cy) << 8, (cy - ay) << 8, (ay - by) << 8
        down0, down1, down2 = lanes * (cx - bx) << 8, lanes * (ax - cx) << 8, lanes * (bx - ax) << 8
        row0 = edge_(bx, by, cx, cy, first_column << 8, first_row << 8)
        row1 = edge_(cx, cy, ax, ay, first_column << 8, first_row << 8)
        row2 = area - row0 - row1
        q0, q1, q2, scale = np.float64(qa), np.float64(qb), np.float64(qc), 1.0 / np.float64(area)
        if last_column - first_column < WIDE:
            for row in range(first_row, last_row + 1, lanes):
                w0, w1, w2 = row0, row1, row2
                for column in range(first_column, last_column + 1):
                    if ((w0 - t0) | (w1 - t1) | (w2 - t2)) >= 0:  # no sign bit set: inside all three
                        lower(keys, row, column, key_of_(nearness_(w0, w1, w2, q0, q1, q2, scale), triangle))
                    w0, w1, w2 = w0 + right0, w1 + right1, w2 + right2
                row0, row1, row2 = row0 + down0, row1 + down1, row2 + down2
        else:
            for row in range(first_row, last_row + 1, lanes):
                first, last = narrow_(np.int64(0), last_column - first_column, row0, right0, t0)
                first, last = narrow_(first, last, row1, right1, t1)
                first, last = narrow_(first, last, row2, right2, t2)
                w0, w1, w2 = row0 + first * right0, row1 + first * right1, row2 + first * right2
                for column in range(first_column + first, first_column + last + 1):
                    lower(keys, row, column, key_of_(nearness_(w0, w1, w2, q0, q1, q2, scale), triangle))
                    w0, w1, w2 = w0 + right0, w1 + right1, w2 + right2
                row0, row1, row2 = row0 + down0, row1 + down1, row2 + down2

    @jit
    def weights(
        ax: Int, ay: Int, qa: Float,
        bx: Int, by: Int, qb: Float,
        cx: Int, cy: Int, qc: Float,
        row: Int,
        column: Int,
    ) -> tuple[Float, Float, Float]:  # fmt: skip
        """Perspective-correct barycentric weights of a pixel's centre, for either winding."""
        px, py = column << 8, row << 8
        pa = np.float32(edge_(bx, by, cx, cy, px, py)) * qa
        pb = np.float32(edge_(cx, cy, ax, ay, px, py)) * qb
        pc = np.float32(edge_(ax, ay, bx, by, px, py)) * qc
        scale = np.float32(1) / (pa + pb + pc)
        return pa * scale, pb * scale, pc * scale

    return Shading(jit(snap), cover, weights, jit(irradiance), jit(to_byte))
