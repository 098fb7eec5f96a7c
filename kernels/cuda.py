"""The rasterizer on a CUDA device: two or three launches for a whole batch, that allocate nothing and never wait.

The functions of `coverage.py` and `shading.py` again, with an atomic minimum for the key: whichever thread comes first,
the same triangle stays. First a thread draws each small triangle and lists the others; then all warps share the listed
ones evenly. Of few triangles, a warp draws each, and none is listed. Last a thread finds the weights of each pixel, and
its block writes the attributes side by side, which halves the time of a large batch. Corners are snapped where they are
used: cheaper than one more launch.
"""

import warnings
from functools import cache, lru_cache
from math import sqrt
from typing import Any

import numba.cuda
import numpy as np

from kernels.coverage import EMPTY, Corners, Nears, build
from kernels.shading import irradiance, to_byte

Array = Any  # whatever has a __cuda_array_interface__
Vertex = Any  # np.uint32: no test for Python's negative indices
Kernel = Any  # what cuda.jit makes
cuda: Any = numba.cuda  # half of it is untyped

THREADS = 128
WARP = 32
BLOCKS = 528  # for the listed triangles: four per multiprocessor of an H100
SMALL = 32  # px² of its box, up to which a triangle is drawn by the thread that reads it ...
SMALL_OF_FEW = 8  # ... and where there are so few that most of the device would wait for such threads:
FEW = 20_000  # triangles, of all pictures together
WARPS = 8192  # triangles of which a warp draws each: as many warps as run at once on an H100
LARGE = 2048  # px of its box, beyond which a triangle is listed apart

_device = cuda.jit(device=True)


@_device
def _lower(keys: Array, row: int, column: int, key: int) -> None:
    cuda.atomic.min(keys, (np.uint32(row), np.uint32(column)), key)  # nobody waits for its answer


_snap, _facing, _box, _fill, _, _, _weights, *_ = build(_device, _lower, np.int32, np.int64)
_fill_small = build(_device, _lower, np.int32, np.int32).fill_small
_irradiance, _to_byte = _device(irradiance), _device(to_byte)


@_device
def _names(triangles: Array, f: int) -> tuple[Vertex, Vertex, Vertex]:
    """Vertices of a triangle."""
    return np.uint32(triangles[f, 0]), np.uint32(triangles[f, 1]), np.uint32(triangles[f, 2])


@_device
def _corners(vertices: Array, a: Vertex, b: Vertex, c: Vertex) -> Corners:
    ax, ay, _ = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
    bx, by, _ = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
    cx, cy, _ = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
    return ax, ay, bx, by, cx, cy


@_device
def _nears(vertices: Array, a: Vertex, b: Vertex, c: Vertex) -> Nears:
    one = np.float32(1)
    return one / vertices[a, 2], one / vertices[b, 2], one / vertices[c, 2]


@cache
def scatterer(lanes: int) -> Kernel:
    """The first pass, with so many threads for each triangle.

    It lowers keys int64 [B, H, W] to the least key of the triangles int32 [F, 3] that own each pixel's centre. Where
    one thread has a triangle, it draws small ones; the others go into `listed` int32 [B F], large ones from its end;
    `counters` int32 [2] has how many on either side.
    """

    @cuda.jit
    def scatter(
        vertices: Array, triangles: Array, cull: bool, small: int, keys: Array, listed: Array, counters: Array
    ) -> None:
        f, image = np.uint32(cuda.grid(1) // lanes), np.uint32(cuda.blockIdx.y)
        if f >= triangles.shape[0]:
            return
        a, b, c = _names(triangles, f)
        corners = _corners(vertices[image], a, b, c)
        area = _facing(corners, cull)
        if area == 0:
            return
        pixels = _box(corners, keys.shape[1], keys.shape[2])
        (first_row, last_row), (first_column, last_column) = pixels
        if first_row > last_row or first_column > last_column:
            return
        if lanes > 1:
            nears, lane = _nears(vertices[image], a, b, c), np.int32(cuda.grid(1) % lanes)
            _fill(np.int64(f), corners, nears, area, pixels, lane, np.int32(lanes), keys[image])
            return
        ax, ay, bx, by, cx, cy = corners
        width, height = max(ax, bx, cx) - min(ax, bx, cx), max(ay, by, cy) - min(ay, by, cy)
        if np.int64(max(width, 256)) * max(height, 256) <= small << 16:  # so small that 32 bits are enough
            _fill_small(f, corners, _nears(vertices[image], a, b, c), np.int32(area), pixels, keys[image])
            return
        entry = np.int32(image * triangles.shape[0] + f)
        if (last_row - first_row + 1) * (last_column - first_column + 1) <= LARGE:
            listed[cuda.atomic.add(counters, 0, 1)] = entry
        else:
            listed[listed.shape[0] - 1 - cuda.atomic.add(counters, 1, 1)] = entry

    return scatter


@cuda.jit
def scatter_listed(vertices: Array, triangles: Array, keys: Array, listed: Array, counters: Array) -> None:
    """The same for the listed triangles, large ones first: all warps share them evenly, in any order."""
    warps, warp = np.int32(cuda.gridsize(1) // WARP), np.int32(cuda.grid(1) // WARP)
    for large in range(1, -1, -1):
        together = np.int32(warps // min(max(counters[large], 1), warps))
        groups, group = np.int32(warps // together), np.int32(warp // together)
        lane = np.int32(warp % together * WARP + cuda.threadIdx.x % WARP)
        if group >= groups:
            continue
        for place in range(group, counters[large], groups):
            entry = listed[listed.shape[0] - 1 - place if large else place]
            image, f = entry // triangles.shape[0], entry % triangles.shape[0]
            a, b, c = _names(triangles, f)
            corners, nears = _corners(vertices[image], a, b, c), _nears(vertices[image], a, b, c)
            pixels = _box(corners, keys.shape[1], keys.shape[2])
            lanes = np.int32(together * WARP)
            _fill(np.int64(f), corners, nears, _facing(corners, False), pixels, lane, lanes, keys[image])


@cache
def resolver(channels: int, as_bytes: bool, lit: bool) -> Kernel:
    """The last pass for so many attributes; pixels are counted through the rows."""
    plain = 3 if lit else 0  # channels before the plain ones
    written = channels - plain

    @cuda.jit
    def resolve(
        every_vertex: Array,
        triangles: Array,
        every_attribute: Array,
        lights: Array,
        background: float,
        width: int,
        keys: Array,
        ids: Array,
        out: Array,
        counters: Array,
    ) -> None:
        corner = cuda.shared.array((3, THREADS), np.int32)
        weight = cuda.shared.array((3, THREADS), np.float32)
        shine = cuda.shared.array((3, THREADS if lit else 1), np.float32)
        thread, image, first = cuda.threadIdx.x, cuda.blockIdx.y, cuda.blockIdx.x * THREADS
        vertices, attributes = every_vertex[image], every_attribute[image]
        pixel = np.uint32(first + thread)
        if pixel == 0 and image == 0:
            counters[0] = counters[1] = 0  # for the next picture
        if pixel < keys.shape[1]:
            shown = np.int32(keys[image, pixel] & np.int64(0xFFFFFFFF))  # -1 when EMPTY
            ids[image, pixel] = corner[0, thread] = shown
            if shown >= 0:
                keys[image, pixel] = EMPTY
                f = np.uint32(shown)
                a, b, c = _names(triangles, f)
                row, column = np.int32(pixel // np.uint32(width)), np.int32(pixel % np.uint32(width))
                wa, wb, wc = _weights(_corners(vertices, a, b, c), _nears(vertices, a, b, c), row, column)
                corner[0, thread], corner[1, thread], corner[2, thread] = a, b, c
                weight[0, thread], weight[1, thread], weight[2, thread] = wa, wb, wc
                if lit:
                    nx = wa * attributes[a, 3] + wb * attributes[b, 3] + wc * attributes[c, 3]
                    ny = wa * attributes[a, 4] + wb * attributes[b, 4] + wc * attributes[c, 4]
                    nz = wa * attributes[a, 5] + wb * attributes[b, 5] + wc * attributes[c, 5]
                    unit = np.float32(1 / sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20)))
                    for channel in range(3):
                        shine[channel, thread] = _irradiance(nx * unit, ny * unit, nz * unit, lights[image], channel)
        cuda.syncthreads()
        # Neighbours in the block are now neighbours in `out`, and most of them read the same vertices.
        for place in range(thread, min(THREADS, keys.shape[1] - first) * written, THREADS):
            mine = np.int32(np.uint32(place) // np.uint32(written))
            target = np.int32(place - mine * written)
            a = corner[0, mine]
            if a < 0:
                out[image, first + mine, target] = background
            else:
                source = target if target < plain else target + plain
                b, c = np.uint32(corner[1, mine]), np.uint32(corner[2, mine])
                value = weight[0, mine] * attributes[np.uint32(a), source]
                value += weight[1, mine] * attributes[b, source] + weight[2, mine] * attributes[c, source]
                if lit:
                    value *= shine[target, mine] if target < plain else np.float32(1)
                out[image, first + mine, target] = _to_byte(value) if as_bytes else value

    return resolve


@lru_cache(128)
def launcher(kernel: Kernel, threads: int, stream: int, batch: int = 1) -> Kernel:
    """The kernel, ready to be launched with so many threads per picture on the stream with this handle.

    A small mesh or picture needs few blocks: that Numba advises against that is of no use to the caller.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Grid size")  # it may begin with a colour
        return kernel[(-(-threads // THREADS), batch), THREADS, cuda.external_stream(stream) if stream else 0]


def current_device() -> int:
    """Number of the device that is used by whoever names none."""
    return int(cuda.get_current_device().id)


def device_of(array: Array) -> int:
    """Number of the device that an array lies on; an empty one lies nowhere, so anywhere."""
    from numba.cuda.cudadrv import driver  # the simulator has none of this

    if not (pointer := array.__cuda_array_interface__["data"][0]):
        return current_device()
    numba_driver: Any = driver  # untyped
    binding = numba_driver.binding
    ordinal = binding.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    return int(numba_driver.driver.cuPointerGetAttribute(ordinal, binding.CUdeviceptr(pointer)))


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
        self._listed = cuda.to_device(np.zeros(max(batch * len(triangles), 1), np.int32))
        self._counters = cuda.to_device(np.zeros(2, np.int32))
        self._small = SMALL_OF_FEW if batch * len(triangles) < FEW else SMALL
        self._lanes = WARP if batch * len(triangles) <= WARPS else 1
        self._dark = cuda.to_device(np.zeros((batch, 9, 3), np.float32))

    def draw(
        self, vertices: Array, attributes: Array, out: Array, background: float, light: Array | None, stream: int
    ) -> None:
        """See `Rasterizer.draw`; all arrays with their batch axis."""
        batch, height, width = self._keys.shape
        mesh, lists = (vertices, self._triangles), (self._listed, self._counters)
        if faces := len(self._triangles):
            scatter = launcher(scatterer(self._lanes), faces * self._lanes, stream, batch)
            scatter(*mesh, self._cull, self._small, self._keys, *lists)
            if self._lanes == 1:
                launcher(scatter_listed, BLOCKS * THREADS, stream)(*mesh, self._keys, *lists)
        resolve = resolver(attributes.shape[2], out.dtype == np.uint8, light is not None)
        flat = batch, height * width
        keys, ids, pictures = self._keys.reshape(flat), self.ids.reshape(flat), out.reshape(*flat, out.shape[3])
        lights = self._dark if light is None else light
        launcher(resolve, height * width, stream, batch)(
            *mesh, attributes, lights, out.dtype.type(background), width, keys, ids, pictures, self._counters
        )
