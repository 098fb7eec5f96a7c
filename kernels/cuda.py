"""The rasterizer on a CUDA device: two launches, one thread per triangle and one per pixel, that allocate nothing.

The functions of `shading.py` again, with an atomic minimum for the key: whichever thread comes first, the same triangle
stays. Corners are snapped where they are used, which is cheaper than a third launch.
"""

from typing import Any

import numba.cuda
import numpy as np

from kernels.shading import EMPTY, build

Array = Any  # whatever has a __cuda_array_interface__
Kernel = Any  # what cuda.jit makes
cuda: Any = numba.cuda  # half of it is untyped

THREADS = 128

_device = cuda.jit(device=True)


@_device
def _lower(keys: Array, row: int, column: int, key: int) -> None:
    if key < keys[row, column]:  # a stale read is never lower than the truth; it only saves hopeless atomics
        cuda.atomic.min(keys, (row, column), key)


_snap, _cover, _weights, _to_byte = build(_device, _lower)


@cuda.jit
def scatter(vertices: Array, triangles: Array, cull: bool, keys: Array) -> None:
    """Lower keys int64 [H, W] to the least key of the triangles int32 [F, 3] that own each pixel's centre."""
    f = cuda.grid(1)
    if f >= triangles.shape[0]:
        return
    a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
    ax, ay, qa = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
    bx, by, qb = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
    cx, cy, qc = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
    _cover(
        f, np.int64(ax), np.int64(ay), qa, np.int64(bx), np.int64(by), qb, np.int64(cx), np.int64(cy), qc, cull, keys
    )


def _resolver(as_bytes: bool) -> Kernel:
    @cuda.jit
    def resolve(
        vertices: Array, triangles: Array, attributes: Array, background: float, keys: Array, ids: Array, out: Array
    ) -> None:
        pixel = cuda.grid(1)
        row, column = pixel // keys.shape[1], pixel % keys.shape[1]
        if row >= keys.shape[0]:
            return
        shown = np.int32(keys[row, column] & np.int64(0xFFFFFFFF))  # -1 when EMPTY
        ids[row, column] = shown
        if shown < 0:
            for channel in range(attributes.shape[1]):
                out[row, column, channel] = background
            return
        keys[row, column] = EMPTY
        a, b, c = triangles[shown, 0], triangles[shown, 1], triangles[shown, 2]
        ax, ay, qa = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
        bx, by, qb = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
        cx, cy, qc = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
        wa, wb, wc = _weights(ax, ay, qa, bx, by, qb, cx, cy, qc, row, column)
        for channel in range(attributes.shape[1]):
            value = wa * attributes[a, channel] + wb * attributes[b, channel] + wc * attributes[c, channel]
            out[row, column, channel] = _to_byte(value) if as_bytes else value

    return resolve


_resolve_floats = _resolver(as_bytes=False)
_resolve_bytes = _resolver(as_bytes=True)


def to_host(array: Array) -> np.ndarray[Any, Any]:
    """A NumPy copy; waits for the device."""
    return cuda.as_cuda_array(array).copy_to_host()


class Context:
    """Buffers of one mesh at one size on the current device; `Rasterizer` has checked what comes in."""

    def __init__(self, height: int, width: int, triangles: np.ndarray[Any, Any], cull: bool) -> None:
        self._triangles = cuda.to_device(triangles)
        self._cull = cull
        self._keys = cuda.to_device(np.full((height, width), EMPTY, np.int64))  # and so does `resolve` leave them
        self.ids = cuda.to_device(np.full((height, width), -1, np.int32))

    def draw(self, vertices: Array, attributes: Array, out: Array, background: float, stream: int) -> None:
        """See `Rasterizer.draw`."""
        vertices, attributes, out = map(cuda.as_cuda_array, (vertices, attributes, out))
        queue = cuda.external_stream(stream) if stream else 0
        faces, pixels = len(self._triangles), self._keys.size
        if faces:
            scatter[-(-faces // THREADS), THREADS, queue](vertices, self._triangles, self._cull, self._keys)
        resolve = _resolve_bytes if out.dtype == np.uint8 else _resolve_floats
        resolve[-(-pixels // THREADS), THREADS, queue](
            vertices, self._triangles, attributes, out.dtype.type(background), self._keys, self.ids, out
        )
