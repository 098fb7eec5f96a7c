"""The rasterizer on one CPU core: three passes, without the GIL, that allocate nothing.

Serial on purpose: a second core is worth less to the live loop than a steady frame time.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from kernels.coverage import EMPTY, REJECTED, Corners, Nears, build
from kernels.shading import checksum, irradiance, to_byte

Array = np.ndarray[Any, Any]
Vertex = Any  # np.uint32: no test for Python's negative indices

DEFINITION = checksum("coverage.py") ^ checksum("shading.py")
WIDE = 12  # px; in a wider box it pays to compute where a row begins and ends, rather than to test each pixel

# Multiply and add may be fused, as CUDA does; `coverage.py` says why that changes no decision.
_inlined = njit(nogil=True, error_model="numpy", forceinline=True, fastmath={"contract"})
# Numba's file cache looks at this file only: the default argument `definition` makes it look at
# coverage.py and shading.py as well.
_compiled = njit(nogil=True, error_model="numpy", cache=True, fastmath={"contract"})


@_inlined
def _lower(keys: Array, row: int, column: int, key: int) -> None:
    if key < keys[np.uint32(row), np.uint32(column)]:  # unsigned: no test for Python's negative indices
        keys[np.uint32(row), np.uint32(column)] = key


_snap, _facing, _box, _fill, _, _fill_wide, _weights = build(_inlined, _lower, np.int64, np.int64)
_irradiance, _to_byte = _inlined(irradiance), _inlined(to_byte)


@_inlined
def _corners(positions: Array, inverse_depth: Array, a: Vertex, b: Vertex, c: Vertex) -> tuple[Corners, Nears]:
    return (
        np.int64(positions[a, 0]), np.int64(positions[a, 1]),
        np.int64(positions[b, 0]), np.int64(positions[b, 1]),
        np.int64(positions[c, 0]), np.int64(positions[c, 1]),
    ), (inverse_depth[a], inverse_depth[b], inverse_depth[c])  # fmt: skip


@_compiled
def snap(vertices: Array, positions: Array, inverse_depth: Array, definition: int = DEFINITION) -> int:
    """vertices float32 [V, 3] -> positions int32 [V, 2], inverse_depth float32 [V]; gives the first NaN's row or -1."""
    bad = -1
    for v in range(vertices.shape[0] - 1, -1, -1):
        x, y, q = _snap(vertices[v, 0], vertices[v, 1], vertices[v, 2])
        positions[v, 0] = x
        positions[v, 1] = y
        inverse_depth[v] = q
        if x == REJECTED and (np.isnan(vertices[v, 0]) or np.isnan(vertices[v, 1]) or np.isnan(vertices[v, 2])):
            bad = v
    return bad


@_compiled
def scatter(
    positions: Array, inverse_depth: Array, triangles: Array, cull: bool, keys: Array, definition: int = DEFINITION
) -> None:
    """Lower keys int64 [H, W] to the least key of the triangles int32 [F, 3] that own each pixel's centre."""
    for f in range(triangles.shape[0]):
        a, b, c = np.uint32(triangles[f, 0]), np.uint32(triangles[f, 1]), np.uint32(triangles[f, 2])
        corners, nears = _corners(positions, inverse_depth, a, b, c)
        area = _facing(corners, cull)
        if area == 0:
            continue
        pixels = _box(corners, keys.shape[0], keys.shape[1])
        (first_row, last_row), (first_column, last_column) = pixels
        if first_row > last_row or first_column > last_column:
            continue
        if last_column - first_column < WIDE:
            _fill(f, corners, nears, area, pixels, 0, 1, keys)
        else:
            _fill_wide(f, corners, nears, area, pixels, keys)


@cache
def resolver(channels: int, as_bytes: bool, lit: bool) -> Callable[..., None]:
    """The last pass for so many attributes: bytes are a quarter faster when the number is known, floats when not."""
    plain = 6 if lit else 0

    @_compiled
    def resolve(
        positions: Array,
        inverse_depth: Array,
        triangles: Array,
        attributes: Array,
        light: Array,
        background: float,
        keys: Array,
        ids: Array,
        out: Array,
        definition: int = DEFINITION,
    ) -> None:
        for row in range(keys.shape[0]):
            for column in range(keys.shape[1]):
                shown = np.int32(keys[row, column])  # the low half of a key; -1 when EMPTY
                ids[row, column] = shown
                if shown < 0:
                    for channel in range(channels - plain // 2 if as_bytes else out.shape[2]):
                        out[row, column, channel] = background
                    continue
                keys[row, column] = EMPTY
                f = np.uint32(shown)
                a, b, c = np.uint32(triangles[f, 0]), np.uint32(triangles[f, 1]), np.uint32(triangles[f, 2])
                corners, nears = _corners(positions, inverse_depth, a, b, c)
                wa, wb, wc = _weights(corners, nears, row, column)
                if lit:
                    nx = wa * attributes[a, 3] + wb * attributes[b, 3] + wc * attributes[c, 3]
                    ny = wa * attributes[a, 4] + wb * attributes[b, 4] + wc * attributes[c, 4]
                    nz = wa * attributes[a, 5] + wb * attributes[b, 5] + wc * attributes[c, 5]
                    unit = np.float32(1) / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20))
                    for channel in range(3):
                        value = wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
                        value *= _irradiance(nx * unit, ny * unit, nz * unit, light, channel)
                        out[row, column, channel] = _to_byte(value) if as_bytes else value
                for channel in range(plain, channels if as_bytes else attributes.shape[1]):
                    value = wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
                    out[row, column, channel - plain // 2] = _to_byte(value) if as_bytes else value

    return resolve


class Context:
    """Buffers of `batch` meshes at one size in NumPy arrays; `Rasterizer` has checked what comes in."""

    def __init__(self, batch: int, height: int, width: int, triangles: Array, cull: bool) -> None:
        self._triangles = triangles.copy()
        self._cull = cull
        self._keys = np.full((height, width), EMPTY, np.int64)  # `resolve` leaves them EMPTY for the next picture
        self.ids = np.full((batch, height, width), -1, np.int32)
        self._positions = np.empty((batch, 0, 2), np.int32)
        self._inverse_depth = np.empty((batch, 0), np.float32)
        self._dark = np.zeros((batch, 9, 3), np.float32)

    def draw(self, vertices: Array, attributes: Array, out: Array, background: float, light: Array | None) -> None:
        """See `Rasterizer.draw`; all arrays with their batch axis."""
        batch, count, _ = vertices.shape
        if self._positions.shape[1] != count:
            self._positions = np.empty((batch, count, 2), np.int32)
            self._inverse_depth = np.empty((batch, count), np.float32)
        for image in range(batch):
            bad = snap(vertices[image], self._positions[image], self._inverse_depth[image])
            if bad >= 0:
                which = bad if batch == 1 else f"{image}, {bad}"
                raise ValueError(f"vertices[{which}] is {vertices[image, bad].tolist()}, expected numbers")
        resolve = resolver(attributes.shape[2], out.dtype == np.uint8, light is not None)
        lights = self._dark if light is None else light
        for image in range(batch):
            mesh = self._positions[image], self._inverse_depth[image], self._triangles
            scatter(*mesh, self._cull, self._keys)
            resolve(
                *mesh, attributes[image], lights[image], out.dtype.type(background), self._keys, self.ids[image],
                out[image],
            )  # fmt: skip


def current_device() -> int:
    """There is one."""
    return 0


def device_of(array: Array) -> int:
    """As `current_device`."""
    return 0


def to_host(array: Array) -> Array:
    """The array itself."""
    return array


def view(array: Array) -> Array:
    """The array itself; see `cuda.view`."""
    return array
