"""`gradient.py` on a CUDA device, a thread per pixel; sums are atomic, so their last bits depend on the order."""

from collections.abc import Callable
from typing import Any

import numba.cuda

from kernels.cuda import launcher, view
from kernels.gradient import build

Array = Any  # whatever has a __cuda_array_interface__
Kernel = Any
Index = Any  # as Numba types them
Number = Any
cuda: Any = numba.cuda  # half of it is untyped

_device = cuda.jit(device=True)


@_device
def _add(array: Array, index: Index, value: Number) -> None:
    cuda.atomic.add(array, index, value)


_interpolate, _interpolate_back, _smooth, _smooth_back = build(_device, _add)


@cuda.jit
def _interpolate_all(ids: Array, vertices: Array, triangles: Array, attributes: Array, out: Array) -> None:
    row, column = cuda.grid(1) // ids.shape[1], cuda.grid(1) % ids.shape[1]
    if row < ids.shape[0]:
        _interpolate(row, column, ids, vertices, triangles, attributes, out)


@cuda.jit
def _interpolate_all_back(
    ids: Array, vertices: Array, triangles: Array, attributes: Array, by_out: Array,
    to_vertices: Array, to_attributes: Array,
) -> None:  # fmt: skip
    row, column = cuda.grid(1) // ids.shape[1], cuda.grid(1) % ids.shape[1]
    if row < ids.shape[0]:
        _interpolate_back(row, column, ids, vertices, triangles, attributes, by_out, to_vertices, to_attributes)


@cuda.jit
def _smooth_all(ids: Array, vertices: Array, triangles: Array, opposite: Array, picture: Array, out: Array) -> None:
    row, column = cuda.grid(1) // ids.shape[1], cuda.grid(1) % ids.shape[1]
    if row < ids.shape[0]:
        for axis in range(2):
            _smooth(row, column, axis, ids, vertices, triangles, opposite, picture, out)


@cuda.jit
def _smooth_all_back(
    ids: Array, vertices: Array, triangles: Array, opposite: Array, picture: Array, by_out: Array,
    to_vertices: Array, to_picture: Array,
) -> None:  # fmt: skip
    row, column = cuda.grid(1) // ids.shape[1], cuda.grid(1) % ids.shape[1]
    if row < ids.shape[0]:
        for axis in range(2):
            _smooth_back(
                row, column, axis, ids, vertices, triangles, opposite, picture, by_out, to_vertices, to_picture
            )


def _launcher(kernel: Kernel) -> Callable[..., None]:
    def launch(ids: Array, *arrays: Array, stream: int = 0) -> None:
        height, width = ids.shape
        launcher(kernel, height * width, stream)(view(ids), *map(view, arrays))

    return launch


# Arguments as in `gradient_cpu.py`, and the handle of the caller's stream; none of them waits.
interpolate, interpolate_back = _launcher(_interpolate_all), _launcher(_interpolate_all_back)
smooth, smooth_back = _launcher(_smooth_all), _launcher(_smooth_all_back)
