"""The rasterizer on one CPU core: three passes, without the GIL, that allocate nothing.

Serial on purpose: a second core is worth less to the live loop than a steady frame time.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from kernels.coverage import EMPTY, REJECTED, Corners, Nears, build
from kernels.scatter_cpu import DEFINITION, chunk_for, compiled, inlined, scatter
from kernels.shading import irradiance, to_byte

Array = np.ndarray[Any, Any]
Vertex = Any  # np.uint32: no test for Python's negative indices

_coverage = build(inlined, None, np.int64, np.int64)
_snap, _weights = _coverage.snap, _coverage.weights
_irradiance, _to_byte = inlined(irradiance), inlined(to_byte)


@inlined
def _corners(positions: Array, inverse_depth: Array, a: Vertex, b: Vertex, c: Vertex) -> tuple[Corners, Nears]:
    return (
        np.int64(positions[a, 0]), np.int64(positions[a, 1]),
        np.int64(positions[b, 0]), np.int64(positions[b, 1]),
        np.int64(positions[c, 0]), np.int64(positions[c, 1]),
    ), (inverse_depth[a], inverse_depth[b], inverse_depth[c])  # fmt: skip


@compiled
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


@cache
def resolver(channels: int, as_bytes: bool, lit: bool) -> Callable[..., None]:
    """The last pass for so many attributes: bytes are a quarter faster when the number is known, floats when not."""
    plain = 6 if lit else 0

    @compiled
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
        self._names = self._triangles.reshape(-1)
        self._cull = cull
        self._chunk = chunk_for(width)
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
            packed = self._positions[image].view(np.int64).reshape(-1)
            scatter(packed, self._inverse_depth[image], self._names, self._cull, self._keys, *self._chunk)
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
