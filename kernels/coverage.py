"""Which pixels a triangle owns, and what it hides: scalar functions written once, compiled for the CPU and for CUDA.

Positions are integers in 1/256 px, counted from the centre of the top left pixel, so that pixel (row, column) has its
centre at exactly (256 column, 256 row). Edge functions are 64-bit integers: two triangles that share an edge get
exactly opposite values on it, and the top-left rule gives a centre on the edge to one of them. Nothing that decides
which triangle a pixel shows may depend on rounding: products are exact in float64 before they are added (24-bit
factors), so a compiler may fuse multiply and add or not, and the CPU, CUDA and `reference.py` agree to the last bit.

The functions are plain Python; `build` compiles them with `numba.njit` or `numba.cuda.jit(device=True)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Int = Any  # np.int64, np.int32 or int
Float = Any  # np.float32
Array = Any  # NumPy or CUDA
Function = Any  # plain or compiled
Corners = tuple[Int, Int, Int, Int, Int, Int]  # x and y of each of the three, as `snap` gives them
Nears = tuple[Float, Float, Float]  # 1/depth of each
Box = tuple[tuple[Int, Int], tuple[Int, Int]]  # first and last row, first and last column; first > last for none

LIMIT = 2.0**21  # px; further out, 64-bit edge functions could overflow
NEAR, FAR = 2.0**-3, 2.0**30  # cm; a vertex must lie strictly between (limits are exact in float32)
REJECTED = -(2**31)  # x of a vertex that is behind the camera or beyond LIMIT: its triangles are not drawn
EMPTY = 2**63 - 1  # key of a pixel without a triangle: 1/depth 0, and its low half is -1
TILE = 8  # px; width of the tile of pixels at which those that share a triangle look at a time


def snap(u: Float, v: Float, depth: Float) -> tuple[Int, Int, Float]:
    """Position (u px, v px, depth cm) -> (x, y in 1/256 px from the first pixel's centre, 1/depth)."""
    if not (NEAR < depth < FAR and -LIMIT < u < LIMIT and -LIMIT < v < LIMIT):  # also when one is NaN
        return np.int32(REJECTED), np.int32(0), np.float32(0)
    # Rounded, halves up, in float32: a sum with 1/2 may be rounded itself, and truncation goes up below 0; in all,
    # never by more than 1.
    u, v, half = u * np.float32(256), v * np.float32(256), np.float32(0.5)
    x, y = np.int32(u + half), np.int32(v + half)
    x, y = x - np.int32(u < np.float32(x) - half), y - np.int32(v < np.float32(y) - half)
    return np.int32(x - 128), np.int32(y - 128), np.float32(1) / depth


def edges_by(short: Function, long: Function) -> Function:
    """The edge function; positions are subtracted as `short` integers, products as `long` ones."""

    def edge(ax: Int, ay: Int, bx: Int, by: Int, px: Int, py: Int) -> Int:
        """Twice the signed area of a, b, p: positive when p lies right of a -> b on the screen (v points down)."""
        ax, ay, bx, by = short(ax - px), short(ay - py), short(bx - px), short(by - py)
        return long(long(ax) * long(by) - long(ay) * long(bx))

    return edge


def threshold(ax: Int, ay: Int, bx: Int, by: Int) -> Int:
    """Least edge value inside a clockwise triangle: 0 on a top or left edge, which owns its pixels, else 1."""
    return np.int64(0) if by < ay or (by == ay and bx > ax) else np.int64(1)


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


class Coverage(NamedTuple):
    """The compiled functions that the passes on the CPU and on CUDA call."""

    snap: Any
    facing: Any
    box: Any
    fill: Any
    fill_small: Any
    fill_wide: Any
    weights: Any
    edges: Any
    steps: Any
    nearness: Any
    key_of: Any


def build(jit: Callable[[Function], Function], lower: Function, short: Function, long: Function) -> Coverage:
    """Compile with `jit`; `lower(keys, row, column, key)` is the minimum in place, compiled in the same way.

    `short`, `long`: integer types for differences of positions, for which 32 bits are enough, and for their products,
    for which 32 bits are enough when no two corners are as much as 128 px apart. A GPU is faster with 32.
    """
    edge_, threshold_, nearness_ = map(jit, (edges_by(short, long), threshold, nearness))
    key_of_, narrow_ = jit(key_of), jit(narrow)

    @jit
    def bounds(a: Int, b: Int, c: Int, size: Int) -> tuple[Int, Int]:
        """First and last of `size` pixels along one axis with centres between the corners; first > last for none."""
        low, high = min(a, b, c), max(a, b, c)
        return max(short(short(low + 255) >> 8), short(0)), min(short(high >> 8), short(size - 1))

    @jit
    def facing(corners: Corners, cull: bool) -> Int:
        """Twice the signed area of a triangle; 0 if it is not to be drawn."""
        ax, ay, bx, by, cx, cy = corners
        if min(ax, bx, cx) == REJECTED:
            return np.int64(0)
        area = edge_(ax, ay, bx, by, cx, cy)
        return np.int64(0) if cull and area > 0 else area  # counter-clockwise with y up is negative with v down

    @jit
    def box(corners: Corners, height: Int, width: Int) -> Box:
        """The pixels that a triangle may own."""
        ax, ay, bx, by, cx, cy = corners
        return bounds(ay, by, cy, height), bounds(ax, bx, cx, width)

    @jit
    def clockwise(corners: Corners, nears: Nears, area: Int) -> tuple[Corners, Nears]:
        """The same triangle in the order that makes its area positive."""
        ax, ay, bx, by, cx, cy = corners
        qa, qb, qc = nears
        if area < 0:
            bx, by, qb, cx, cy, qc = cx, cy, qc, bx, by, qb
        return (ax, ay, bx, by, cx, cy), (qa, qb, qc)

    @jit
    def edges(corners: Corners, row: Int, column: Int) -> tuple[Int, Int, Int]:
        """Values at a pixel's centre of the edges opposite to the corners."""
        ax, ay, bx, by, cx, cy = corners
        px, py = column << 8, row << 8
        return edge_(bx, by, cx, cy, px, py), edge_(cx, cy, ax, ay, px, py), edge_(ax, ay, bx, by, px, py)

    @jit
    def steps(corners: Corners) -> tuple[Int, ...]:
        """By how much the edge values grow to the next column and to the next row; and their thresholds."""
        ax, ay, bx, by, cx, cy = corners
        return (
            long(by - cy) << 8, long(cy - ay) << 8, long(ay - by) << 8,
            long(cx - bx) << 8, long(ax - cx) << 8, long(bx - ax) << 8,
            threshold_(bx, by, cx, cy), threshold_(cx, cy, ax, ay), threshold_(ax, ay, bx, by),
        )  # fmt: skip

    @jit
    def fill(
        triangle: Int, corners: Corners, nears: Nears, area: Int, pixels: Box, lane: Int, lanes: Int, keys: Array
    ) -> None:
        """Lower the key of every pixel whose centre the triangle owns, testing all of its box.

        `lanes` callers share it, each with its number `lane`: together they advance over it as a tile of pixels does.
        """
        corners, nears = clockwise(corners, nears, area)
        (first_row, last_row), (first_column, last_column) = pixels
        across = min(short(lanes), short(TILE))
        down = short(lanes // across)
        first_row, first_column = short(first_row + lane // across), short(first_column + lane % across)
        right0, right1, right2, below0, below1, below2, t0, t1, t2 = steps(corners)
        row0, row1, row2 = edges(corners, first_row, first_column)
        row0, row1, row2 = row0 - t0, row1 - t1, row2 - t2
        q0, q1, q2, scale = np.float64(nears[0]), np.float64(nears[1]), np.float64(nears[2]), 1.0 / abs(area)
        for row in range(first_row, last_row + 1, down):
            w0, w1, w2 = row0, row1, row2
            for column in range(first_column, last_column + 1, across):
                if (w0 | w1 | w2) >= 0:  # no sign bit set: inside all three
                    near = nearness_(w0 + t0, w1 + t1, w2 + t2, q0, q1, q2, scale)
                    lower(keys, row, column, key_of_(near, triangle))
                w0, w1, w2 = w0 + across * right0, w1 + across * right1, w2 + across * right2
            row0, row1, row2 = row0 + down * below0, row1 + down * below1, row2 + down * below2

    @jit
    def fill_small(triangle: Int, corners: Corners, nears: Nears, area: Int, pixels: Box, keys: Array) -> None:
        """The same by one caller, from one owned pixel to the next: GPU threads side by side then meet at each."""
        corners, nears = clockwise(corners, nears, area)
        (first_row, last_row), (first_column, last_column) = pixels
        right0, right1, right2, below0, below1, below2, t0, t1, t2 = steps(corners)
        row0, row1, row2 = edges(corners, first_row, first_column)
        row0, row1, row2 = long(row0 - t0), long(row1 - t1), long(row2 - t2)
        w0, w1, w2 = long(row0 - right0), long(row1 - right1), long(row2 - right2)
        q0, q1, q2, scale = np.float64(nears[0]), np.float64(nears[1]), np.float64(nears[2]), 1.0 / abs(area)
        row, column = first_row, short(first_column - 1)
        while True:
            inside = False
            while not inside and row <= last_row:
                column, w0, w1, w2 = short(column + 1), long(w0 + right0), long(w1 + right1), long(w2 + right2)
                if column > last_column:
                    row, column = short(row + 1), first_column
                    row0, row1, row2 = long(row0 + below0), long(row1 + below1), long(row2 + below2)
                    w0, w1, w2 = row0, row1, row2
                inside = (w0 | w1 | w2) >= 0 and row <= last_row
            if not inside:
                return
            near = nearness_(long(w0 + t0), long(w1 + t1), long(w2 + t2), q0, q1, q2, scale)
            lower(keys, row, column, key_of_(near, triangle))

    @jit
    def fill_wide(triangle: Int, corners: Corners, nears: Nears, area: Int, pixels: Box, keys: Array) -> None:
        """The same by one caller, who computes where each row begins and ends."""
        corners, nears = clockwise(corners, nears, area)
        (first_row, last_row), (first_column, last_column) = pixels
        right0, right1, right2, below0, below1, below2, t0, t1, t2 = steps(corners)
        row0, row1, row2 = edges(corners, first_row, first_column)
        q0, q1, q2, scale = np.float64(nears[0]), np.float64(nears[1]), np.float64(nears[2]), 1.0 / abs(area)
        for row in range(first_row, last_row + 1):
            first, last = narrow_(np.int64(0), np.int64(last_column - first_column), row0, right0, t0)
            first, last = narrow_(first, last, row1, right1, t1)
            first, last = narrow_(first, last, row2, right2, t2)
            w0, w1, w2 = row0 + first * right0, row1 + first * right1, row2 + first * right2
            for column in range(first_column + first, first_column + last + 1):
                lower(keys, row, column, key_of_(nearness_(w0, w1, w2, q0, q1, q2, scale), triangle))
                w0, w1, w2 = w0 + right0, w1 + right1, w2 + right2
            row0, row1, row2 = row0 + below0, row1 + below1, row2 + below2

    @jit
    def weights(corners: Corners, nears: Nears, row: Int, column: Int) -> Nears:
        """Perspective-correct barycentric weights of a pixel's centre, for either winding."""
        w0, w1, w2 = edges(corners, row, column)
        pa, pb, pc = np.float32(w0) * nears[0], np.float32(w1) * nears[1], np.float32(w2) * nears[2]
        scale = np.float32(1) / (pa + pb + pc)
        return pa * scale, pb * scale, pc * scale

    return Coverage(jit(snap), facing, box, fill, fill_small, fill_wide, weights, edges, steps, nearness_, key_of_)
