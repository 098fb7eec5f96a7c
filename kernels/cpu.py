"""The rasterizer on one CPU core: three passes, without the GIL, that allocate nothing.

Serial on purpose: a second core is worth less to the live loop than a steady frame time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from kernels.shading import DEFINITION, EMPTY, build

Array = np.ndarray[Any, Any]

_inlined = njit(nogil=True, error_model="numpy", forceinline=True)
# Numba's file cache looks at this file only: the default argument `definition` makes it look at shading.py as well.
_compiled = njit(nogil=True, error_model="numpy", cache=True)


@_inlined
def _lower(keys: Array, row: int, column: int, key: int) -> None:
    if key < keys[row, column]:
        keys[row, column] = key


_snap, _cover, _weights, _to_byte = build(_inlined, _lower)


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
        if (vertices[v, 0] != vertices[v, 0]) | (vertices[v, 1] != vertices[v, 1]) | (vertices[v, 2] != vertices[v, 2]):
            bad = v
    return bad


@_compiled
def scatter(
    positions: Array, inverse_depth: Array, triangles: Array, cull: bool, keys: Array, definition: int = DEFINITION
) -> None:
    """Lower keys int64 [H, W] to the least key of the triangles int32 [F, 3] that own each pixel's centre."""
    for f in range(triangles.shape[0]):
        # Unsigned indices: Numba then leaves out the test for Python's negative ones.
        a, b, c = np.uint32(triangles[f, 0]), np.uint32(triangles[f, 1]), np.uint32(triangles[f, 2])
        ax, ay, qa = np.int64(positions[a, 0]), np.int64(positions[a, 1]), inverse_depth[a]
        bx, by, qb = np.int64(positions[b, 0]), np.int64(positions[b, 1]), inverse_depth[b]
        cx, cy, qc = np.int64(positions[c, 0]), np.int64(positions[c, 1]), inverse_depth[c]
        _cover(f, ax, ay, qa, bx, by, qb, cx, cy, qc, cull, keys)


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
                shown = np.int32(keys[row, column])  # the low half of a key; -1 when EMPTY
                ids[row, column] = shown
                if shown < 0:
                    for channel in range(channels):
                        out[row, column, channel] = background
                    continue
                keys[row, column] = EMPTY
                f = np.uint32(shown)
                a, b, c = np.uint32(triangles[f, 0]), np.uint32(triangles[f, 1]), np.uint32(triangles[f, 2])
                wa, wb, wc = _weights(
                    positions[a, 0], positions[a, 1], inverse_depth[a],
                    positions[b, 0], positions[b, 1], inverse_depth[b],
                    positions[c, 0], positions[c, 1], inverse_depth[c],
                    row, column,
                )  # fmt: skip
                for channel in range(channels):
                    value = wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
                    out[row, column, channel] = _to_byte(value) if as_bytes else value

    return resolve


_resolve_floats = _resolver(as_bytes=False)
_resolve_bytes = _resolver(as_bytes=True)


class Context:
    """Buffers of one mesh at one size in NumPy arrays; `Rasterizer` has checked what comes in."""

    def __init__(self, height: int, width: int, triangles: Array, cull: bool) -> None:
        self._triangles = triangles.copy()
        self._cull = cull
        self._keys = np.full((height, width), EMPTY, np.int64)  # `resolve` leaves them EMPTY for the next frame
        self.ids = np.full((height, width), -1, np.int32)
        self._positions = np.empty((0, 2), np.int32)
        self._inverse_depth = np.empty(0, np.float32)

    def draw(self, vertices: Array, attributes: Array, out: Array, background: float) -> None:
        """See `Rasterizer.draw`."""
        if len(self._positions) != len(vertices):
            self._positions = np.empty((len(vertices), 2), np.int32)
            self._inverse_depth = np.empty(len(vertices), np.float32)
        bad = snap(vertices, self._positions, self._inverse_depth)
        if bad >= 0:
            raise ValueError(f"vertices[{bad}] is {vertices[bad].tolist()}, expected numbers")
        mesh = self._positions, self._inverse_depth, self._triangles
        scatter(*mesh, self._cull, self._keys)
        resolve = _resolve_bytes if out.dtype == np.uint8 else _resolve_floats
        resolve(*mesh, attributes, out.dtype.type(background), self._keys, self.ids, out)
