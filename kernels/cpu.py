"""The rasterizer on one CPU core: three passes over arrays that the caller owns; nothing is allocated.

`snap` turns vertices into integers, `scatter` leaves the nearest triangle's key in every pixel, `resolve` turns keys
into attributes and empties the keys for the next frame. Serial and without the GIL: a second core is worth less to the
live loop than a steady frame time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from kernels.shading import DEFINITION, EMPTY, REJECTED, build

Array = np.ndarray[Any, Any]

_shading = build(njit(nogil=True, error_model="numpy", inline="never"))
_snap, _edge, _threshold, _bounds = _shading.snap, _shading.edge, _shading.threshold, _shading.bounds
_depth_at, _key_of, _weights, _to_byte = _shading.depth_at, _shading.key_of, _shading.weights, _shading.to_byte

# Numba's file cache looks at this file only. The default argument makes shading.py's checksum part of what it looks up.
_compiled = njit(nogil=True, error_model="numpy", cache=True)


@_compiled
def snap(vertices: Array, positions: Array, inverse_depth: Array, definition: int = DEFINITION) -> int:
    """vertices float32 [V, 3] -> positions int32 [V, 2], inverse_depth float32 [V]; gives the first NaN's row or -1."""
    bad = -1
    for v in range(vertices.shape[0]):
        x, y, q = _snap(vertices[v, 0], vertices[v, 1], vertices[v, 2])
        positions[v, 0] = x
        positions[v, 1] = y
        inverse_depth[v] = q
    for v in range(vertices.shape[0] - 1, -1, -1):
        total = vertices[v, 0] + vertices[v, 1] + vertices[v, 2]
        if total != total:
            bad = v
    return bad


@_compiled
def scatter(
    positions: Array, inverse_depth: Array, triangles: Array, cull: bool, keys: Array, definition: int = DEFINITION
) -> None:
    """Lower keys int64 [H, W] to the least key of the triangles int32 [F, 3] that own each pixel's centre."""
    height, width = keys.shape
    for triangle in range(triangles.shape[0]):
        a, b, c = triangles[triangle, 0], triangles[triangle, 1], triangles[triangle, 2]
        ax, ay = np.int64(positions[a, 0]), np.int64(positions[a, 1])
        bx, by = np.int64(positions[b, 0]), np.int64(positions[b, 1])
        cx, cy = np.int64(positions[c, 0]), np.int64(positions[c, 1])
        area = _edge(ax, ay, bx, by, cx, cy)
        if area == 0 or (cull and area > 0):  # counter-clockwise with y up is negative with v down
            continue
        if area < 0:
            b, c = c, b
            bx, by, cx, cy = cx, cy, bx, by
            area = -area
        if min(ax, bx, cx) == REJECTED:
            continue
        first_column, last_column = _bounds(ax, bx, cx, width)
        first_row, last_row = _bounds(ay, by, cy, height)
        if first_column > last_column or first_row > last_row:
            continue
        q0, q1, q2 = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        t0, t1, t2 = _threshold(bx, by, cx, cy), _threshold(cx, cy, ax, ay), _threshold(ax, ay, bx, by)
        for row in range(first_row, last_row + 1):
            py = row << 8
            for column in range(first_column, last_column + 1):
                px = column << 8
                w0 = _edge(bx, by, cx, cy, px, py)
                w1 = _edge(cx, cy, ax, ay, px, py)
                w2 = area - w0 - w1
                if w0 >= t0 and w1 >= t1 and w2 >= t2:
                    key = _key_of(_depth_at(w0, w1, w2, q0, q1, q2, area), triangle)
                    if key < keys[row, column]:
                        keys[row, column] = key


def _resolver(as_bytes: bool) -> Callable[..., None]:
    @_compiled
    def resolve(
        positions: Array,
        inverse_depth: Array,
        triangles: Array,
        attributes: Array,
        background: float,
        keys: Array,
        ids: Array,
        out: Array,
        definition: int = DEFINITION,
    ) -> None:
        height, width = keys.shape
        channels = attributes.shape[1]
        for row in range(height):
            for column in range(width):
                key = keys[row, column]
                ids[row, column] = np.int32(key)
                if key == EMPTY:
                    for channel in range(channels):
                        out[row, column, channel] = background
                    continue
                keys[row, column] = EMPTY
                triangle = np.int32(key)
                a, b, c = triangles[triangle, 0], triangles[triangle, 1], triangles[triangle, 2]
                px, py = column << 8, row << 8
                w0 = _edge(positions[b, 0], positions[b, 1], positions[c, 0], positions[c, 1], px, py)
                w1 = _edge(positions[c, 0], positions[c, 1], positions[a, 0], positions[a, 1], px, py)
                w2 = _edge(positions[a, 0], positions[a, 1], positions[b, 0], positions[b, 1], px, py)
                b0, b1, b2 = _weights(w0, w1, w2, inverse_depth[a], inverse_depth[b], inverse_depth[c])
                for channel in range(channels):
                    value = b0 * attributes[a, channel] + b1 * attributes[b, channel] + b2 * attributes[c, channel]
                    if as_bytes:
                        out[row, column, channel] = _to_byte(value)
                    else:
                        out[row, column, channel] = value

    return resolve


resolve_floats = _resolver(as_bytes=False)
resolve_bytes = _resolver(as_bytes=True)
