"""The rasterizer on a CUDA device: three launches for a whole batch, that allocate nothing and never wait.

The functions of `shading.py` again, with an atomic minimum for the key: whichever thread comes first, the same triangle
stays. First a few threads share each triangle's rows; triangles too large for that are listed, and a block takes each;
then a thread resolves each pixel. Corners are snapped where they are used, which is cheaper than one more launch.
"""

from functools import cache
from math import log2, sqrt
from typing import Any

import numba.cuda
import numpy as np

from kernels.shading import EMPTY, build

Array = Any  # whatever has a __cuda_array_interface__
Float = Any  # np.float32
Kernel = Any  # what cuda.jit makes
cuda: Any = numba.cuda  # half of it is untyped

THREADS = 128
LARGE = 128  # pixels of its box per thread, beyond which a triangle is worth a block of its own
BLOCKS = 264  # for the large ones: two per multiprocessor of an H100

_device = cuda.jit(device=True)


@_device
def _lower(keys: Array, row: int, column: int, key: int) -> None:
    cuda.atomic.min(keys, (row, column), key)  # nobody waits for its answer


_snap, _cover, _weights, _irradiance, _to_byte = build(_device, _lower)


@_device
def _draw(vertices: Array, triangles: Array, f: int, cull: bool, lane: int, lanes: int, keys: Array) -> None:
    a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
    ax, ay, qa = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
    bx, by, qb = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
    cx, cy, qc = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
    _cover(
        f, np.int64(ax), np.int64(ay), qa, np.int64(bx), np.int64(by), qb, np.int64(cx), np.int64(cy), qc,
        cull, np.int64(lane), np.int64(lanes), keys,
    )  # fmt: skip


@_device
def _box(vertices: Array, triangles: Array, f: int, height: int, width: int) -> Float:
    """Pixels in the triangle's box, roughly; NaN or anything for a triangle that cannot be drawn."""
    a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
    left = max(min(vertices[a, 0], vertices[b, 0], vertices[c, 0]), np.float32(0))
    right = min(max(vertices[a, 0], vertices[b, 0], vertices[c, 0]), np.float32(width))
    top = max(min(vertices[a, 1], vertices[b, 1], vertices[c, 1]), np.float32(0))
    bottom = min(max(vertices[a, 1], vertices[b, 1], vertices[c, 1]), np.float32(height))
    return max(right - left, np.float32(0)) * max(bottom - top, np.float32(0))


@cuda.jit
def scatter(
    vertices: Array, triangles: Array, cull: bool, lanes: int, keys: Array, large: Array, counter: Array
) -> None:
    """Lower keys int64 [B, H, W] to the least key of the triangles int32 [F, 3] that own each pixel's centre.

    `lanes` threads share a triangle. Those of more than LARGE pixels a thread go into `large` int32 [B F] instead.
    """
    place, image = cuda.grid(1), cuda.blockIdx.y
    f, lane = place // lanes, place % lanes
    if f >= triangles.shape[0]:
        return
    if _box(vertices[image], triangles, f, keys.shape[1], keys.shape[2]) > LARGE * lanes:
        if lane == 0:
            large[cuda.atomic.add(counter, 0, 1)] = image * triangles.shape[0] + f
        return
    _draw(vertices[image], triangles, f, cull, lane, lanes, keys[image])


@cuda.jit
def scatter_large(vertices: Array, triangles: Array, cull: bool, keys: Array, large: Array, counter: Array) -> None:
    """The same for the listed triangles, a block each; their order changes nothing."""
    for entry in range(cuda.blockIdx.x, counter[0], cuda.gridDim.x):
        image, f = large[entry] // triangles.shape[0], large[entry] % triangles.shape[0]
        _draw(vertices[image], triangles, f, cull, cuda.threadIdx.x, cuda.blockDim.x, keys[image])


@cache
def resolver(channels: int, as_bytes: bool, lit: bool) -> Kernel:
    """The last pass for so many attributes."""
    plain = 6 if lit else 0

    @cuda.jit
    def resolve(
        every_vertex: Array,
        triangles: Array,
        every_attribute: Array,
        lights: Array,
        background: float,
        keys: Array,
        ids: Array,
        out: Array,
        counter: Array,
    ) -> None:
        pixel, image = cuda.grid(1), cuda.blockIdx.y
        row, column = pixel // keys.shape[2], pixel % keys.shape[2]
        if row >= keys.shape[1]:
            return
        if pixel == 0 and image == 0:
            counter[0] = 0  # for the next picture
        shown = np.int32(keys[image, row, column] & np.int64(0xFFFFFFFF))  # -1 when EMPTY
        ids[image, row, column] = shown
        if shown < 0:
            for channel in range(out.shape[3]):
                out[image, row, column, channel] = background
            return
        keys[image, row, column] = EMPTY
        vertices, attributes = every_vertex[image], every_attribute[image]
        a, b, c = triangles[shown, 0], triangles[shown, 1], triangles[shown, 2]
        ax, ay, qa = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
        bx, by, qb = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
        cx, cy, qc = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
        wa, wb, wc = _weights(ax, ay, qa, bx, by, qb, cx, cy, qc, row, column)
        if lit:
            nx = wa * attributes[a, 3] + wb * attributes[b, 3] + wc * attributes[c, 3]
            ny = wa * attributes[a, 4] + wb * attributes[b, 4] + wc * attributes[c, 4]
            nz = wa * attributes[a, 5] + wb * attributes[b, 5] + wc * attributes[c, 5]
            unit = np.float32(1 / sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20)))
            for channel in range(3):
                value = wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
                value *= _irradiance(nx * unit, ny * unit, nz * unit, lights[image], channel)
                out[image, row, column, channel] = _to_byte(value) if as_bytes else value
        for channel in range(plain, channels):
            value = wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
            out[image, row, column, channel - plain // 2] = _to_byte(value) if as_bytes else value

    return resolve


def to_host(array: Array) -> np.ndarray[Any, Any]:
    """A NumPy copy; waits for the device."""
    return cuda.as_cuda_array(array).copy_to_host()


def view(array: Array) -> Array:
    """The same memory as an array of Numba's."""
    return cuda.as_cuda_array(array)


class Context:
    """Buffers of `batch` meshes at one size on the current device; `Rasterizer` has checked what comes in."""

    def __init__(self, batch: int, height: int, width: int, triangles: np.ndarray[Any, Any], cull: bool) -> None:
        self._triangles = cuda.to_device(triangles)
        self._cull = cull
        self._keys = cuda.to_device(np.full((batch, height, width), EMPTY, np.int64))  # and so `resolve` leaves them
        self.ids = cuda.to_device(np.full((batch, height, width), -1, np.int32))
        self._large = cuda.to_device(np.zeros(max(batch * len(triangles), 1), np.int32))
        self._counter = cuda.to_device(np.zeros(1, np.int32))
        self._dark = cuda.to_device(np.zeros((batch, 9, 3), np.float32))
        # About as many threads per triangle as it has rows, when half of them face us and fill half of the picture.
        rows = sqrt(2 * height * width / max(len(triangles), 1))
        self._lanes = 2 ** min(max(round(log2(rows)), 0), 5)

    def draw(
        self, vertices: Array, attributes: Array, out: Array, background: float, light: Array | None, stream: int
    ) -> None:
        """See `Rasterizer.draw`; all arrays with their batch axis."""
        queue = cuda.external_stream(stream) if stream else 0
        batch, height, width = self._keys.shape
        mesh, listed = (vertices, self._triangles), (self._large, self._counter)
        if threads := len(self._triangles) * self._lanes:
            grid = -(-threads // THREADS), batch
            scatter[grid, THREADS, queue](*mesh, self._cull, self._lanes, self._keys, *listed)
            scatter_large[BLOCKS, THREADS, queue](*mesh, self._cull, self._keys, *listed)
        resolve = resolver(attributes.shape[2], out.dtype == np.uint8, light is not None)
        lights = self._dark if light is None else light
        resolve[(-(-height * width // THREADS), batch), THREADS, queue](
            *mesh, attributes, lights, out.dtype.type(background), self._keys, self.ids, out, self._counter
        )
