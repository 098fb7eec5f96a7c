"""`gradient.py` on one CPU core, pixel after pixel."""

from typing import Any

import numpy as np
from numba import njit

from kernels.gradient import build
from kernels.shading import checksum

Array = np.ndarray[Any, Any]
Index = Any  # as Numba types them
Number = Any

DEFINITION = checksum("gradient.py")  # see `cpu.py`

_inlined = njit(nogil=True, error_model="numpy")
_compiled = njit(nogil=True, error_model="numpy", cache=True)


@_inlined
def _add(array: Array, index: Index, value: Number) -> None:
    array[index] += value


_interpolate, _interpolate_back, _smooth, _smooth_back = build(_inlined, _add)


@_compiled
def interpolate(
    ids: Array, vertices: Array, triangles: Array, attributes: Array, out: Array, definition: int = DEFINITION
) -> None:
    """Attributes [V, C] -> out [H, W, C], 0 on the background."""
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            _interpolate(row, column, ids, vertices, triangles, attributes, out)


@_compiled
def interpolate_back(
    ids: Array, vertices: Array, triangles: Array, attributes: Array, by_out: Array,
    to_vertices: Array, to_attributes: Array, definition: int = DEFINITION,
) -> None:  # fmt: skip
    """Add to the derivatives by vertices [V, 3] and attributes [V, C] what that by `out` makes of them."""
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            _interpolate_back(
                row, column, ids, vertices, triangles, attributes, by_out, to_vertices, to_attributes
            )  # fmt: skip


@_compiled
def smooth(
    ids: Array, vertices: Array, triangles: Array, opposite: Array, picture: Array, out: Array,
    definition: int = DEFINITION,
) -> None:  # fmt: skip
    """Smooth the outlines in picture [H, W, C]; `out` begins as a copy of it."""
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            for axis in range(2):
                _smooth(row, column, axis, ids, vertices, triangles, opposite, picture, out)


@_compiled
def smooth_back(
    ids: Array, vertices: Array, triangles: Array, opposite: Array, picture: Array, by_out: Array,
    to_vertices: Array, to_picture: Array, definition: int = DEFINITION,
) -> None:  # fmt: skip
    """Add to the derivatives by vertices [V, 3] and picture; `to_picture` begins as a copy of `by_out`."""
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            for axis in range(2):
                _smooth_back(
                    row, column, axis, ids, vertices, triangles, opposite, picture, by_out, to_vertices, to_picture
                )
