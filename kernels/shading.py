"""What a triangle does to a pixel: scalar functions written once and compiled twice, for the CPU and for CUDA.

Positions are integers in 1/256 px, counted from the centre of the top left pixel, so that pixel (row, column) has its
centre at exactly (256 column, 256 row). Edge functions are 64-bit integers: two triangles that share an edge get
exactly opposite values on it, and the top-left rule gives a centre on the edge to one of them. Nothing that decides
which triangle a pixel shows may depend on rounding: products are exact in float64 before they are added (24-bit
factors), so a compiler may fuse multiply and add or not, and the CPU, CUDA and `reference.py` agree to the last bit.

The functions are plain Python; `build(jit)` compiles them with `numba.njit` or `numba.cuda.jit(device=True)`.
"""

import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Int = Any  # np.int64, np.int32 or int
Float = Any  # np.float32

SUBPIXELS = 256  # positions per pixel
LIMIT = 2.0**21  # px; further out, 64-bit edge functions could overflow
NEAR, FAR = 0.1, 1e9  # cm; a vertex must lie strictly between
REJECTED = -(2**31)  # x of a vertex that is behind the camera or beyond LIMIT: its triangles are not drawn
EMPTY = 2**63 - 1  # key of a pixel without a triangle: further than any depth, and its low half is -1

DEFINITION = zlib.crc32(Path(__file__).read_bytes())  # changes with this file; see `cpu.py`


def snap(u: Float, v: Float, depth: Float) -> tuple[Int, Int, Float]:
    """Position (u px, v px, depth cm) -> (x, y in 1/256 px from the first pixel's centre, 1/depth)."""
    if not (NEAR < depth < FAR and -LIMIT < u < LIMIT and -LIMIT < v < LIMIT):  # also when one is NaN
        return np.int32(REJECTED), np.int32(0), np.float32(0)
    x = np.int32(math.floor(np.float64(u) * 256.0 - 127.5))  # - 128 to the pixel's centre, + 0.5 to round
    y = np.int32(math.floor(np.float64(v) * 256.0 - 127.5))
    return x, y, np.float32(1) / np.float32(depth)


def edge(ax: Int, ay: Int, bx: Int, by: Int, px: Int, py: Int) -> Int:
    """Twice the signed area of a, b, p: positive when p lies right of a -> b on the screen (v points down)."""
    return (np.int64(bx) - ax) * (np.int64(py) - ay) - (np.int64(by) - ay) * (np.int64(px) - ax)


def threshold(ax: Int, ay: Int, bx: Int, by: Int) -> Int:
    """Least edge value inside a clockwise triangle: 0 on a top or left edge, which owns its pixels, else 1."""
    return np.int64(0) if by < ay or (by == ay and bx > ax) else np.int64(1)


def bounds(a: Int, b: Int, c: Int, size: Int) -> tuple[Int, Int]:
    """First and last of `size` pixels along one axis whose centres lie between the corners; first > last for none."""
    low, high = min(a, b, c), max(a, b, c)
    return max((low + 255) >> 8, 0), min(high >> 8, size - 1)


def depth_at(w0: Int, w1: Int, w2: Int, q0: Float, q1: Float, q2: Float, area: Int) -> Float:
    """Depth from the three edge values, 1/depth at the corners opposite to them, and the edge values' sum."""
    total = np.float64(np.float32(w0)) * np.float64(q0)
    total += np.float64(np.float32(w1)) * np.float64(q1)
    total += np.float64(np.float32(w2)) * np.float64(q2)
    return np.float32(np.float64(area) / total)


def key_of(depth: Float, triangle: Int) -> Int:
    """Nearer is less, and at equal depth the lower triangle: positive floats sort as their bits do."""
    return (np.int64(np.float32(depth).view(np.int32)) << np.int64(32)) | np.int64(triangle)


def weights(w0: Int, w1: Int, w2: Int, q0: Float, q1: Float, q2: Float) -> tuple[Float, Float, Float]:
    """Perspective-correct barycentric weights from the edge values and 1/depth at the corners."""
    p0 = np.float32(w0) * q0
    p1 = np.float32(w1) * q1
    p2 = np.float32(w2) * q2
    scale = np.float32(1) / (p0 + p1 + p2)
    return p0 * scale, p1 * scale, p2 * scale


def to_byte(value: Float) -> Int:
    """0..1 -> 0..255, halves up, clipped; NaN gives 0."""
    if not value > np.float32(0):
        return np.uint8(0)
    return np.uint8(min(value, np.float32(1)) * np.float32(255) + np.float32(0.5))


class Shading(NamedTuple):
    """The compiled functions."""

    snap: Any
    edge: Any
    threshold: Any
    bounds: Any
    depth_at: Any
    key_of: Any
    weights: Any
    to_byte: Any


def build(jit: Callable[[Callable[..., Any]], Any]) -> Shading:
    """Compile every function above with `jit`."""
    return Shading(*(jit(function) for function in (snap, edge, threshold, bounds, depth_at, key_of, weights, to_byte)))
