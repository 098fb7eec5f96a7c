"""Draw triangles with per-vertex attributes into a picture: every pixel exactly once, every run the same.

    rasterizer = Rasterizer(256, 256, face.triangles)
    rasterizer.draw(project(camera, vertices), attributes, out)

What is drawn is defined by `reference.py`, how it is drawn by `cpu.py` and `cuda.py`.
"""

from typing import Any

import numpy as np

from kernels import cpu

Array = Any  # np.ndarray, or what has a __cuda_array_interface__: a torch tensor, a CuPy or Numba array
LIT = 6  # attributes that `light` turns into three


class Rasterizer:
    """Draws one mesh at one size; owns its buffers, so it is not to be shared between threads.

    `height`, `width`: px, 1 to 16384. `triangles`: int32 [F, 3], counter-clockwise seen from outside (y up); copied.
    Where they are decides where all drawing happens: NumPy on the CPU, a CUDA array on the current device.
    `cull`: leave out triangles that turn their back. `batch`: with a number, that many poses of the mesh are drawn by
    one call, and all arrays have a leading axis B.

    Pixel (row, column) has its centre at u = column + 0.5, v = row + 0.5. Nothing is clipped: a triangle with a vertex
    at a depth of `coverage.NEAR` (1/8 cm) or less, or more than 2²¹ px from the origin, is not drawn.
    """

    def __init__(self, height: int, width: int, triangles: Array, cull: bool = True, batch: int | None = None) -> None:
        for name, size in (("height", height), ("width", width)):
            if not 1 <= size <= 16384:
                raise ValueError(f"{name} is {size}, expected 1 to 16384 px")
        if batch is not None and not 1 <= batch <= 65535:
            raise ValueError(f"batch is {batch}, expected 1 to 65535 pictures")
        self._on_device = hasattr(triangles, "__cuda_array_interface__")
        self._backend: Any = cpu
        if self._on_device:
            from kernels import cuda  # needs the gpu extra, so only here

            self._backend = cuda
        self._device = self._backend.current_device()
        faces, _ = self._check("triangles", triangles, "int32", ("F", 3))
        if faces * (batch or 1) >= 2**31:
            raise ValueError(f"triangles has {faces} rows, for a batch of {batch} expected less than 2³¹ in all")
        triangles = self._backend.to_host(triangles)
        self._context: Any = self._backend.Context(batch or 1, height, width, triangles, bool(cull))
        if triangles.min(initial=0) < 0:
            raise ValueError(f"triangles names vertex {triangles.min()}, expected 0 or more")
        self._vertices_needed = int(triangles.max(initial=-1)) + 1
        self._size = height, width
        self._batch = () if batch is None else (batch,)

    @property
    def ids(self) -> Array:
        """Number of the triangle that each pixel shows since the last `draw`, -1 for none: int32 [(B) H, W].

        The context's own memory, not a copy: read it before the next `draw`, which overwrites it.
        """
        return self._context.ids if self._batch else self._context.ids[0]

    def draw(
        self,
        vertices: Array,
        attributes: Array,
        out: Array,
        background: float = 0,
        stream: int = 0,
        light: Array | None = None,
    ) -> None:
        """Draw the mesh into `out`, every pixel of which is written.

        `vertices`: float32 [(B) V, 3], (u px, v px, depth cm), as `models.camera.project` gives them.
        `attributes`: float32 [(B) V, C], interpolated with perspective.
        `out`: [(B) H, W, C], owned by the caller. float32 takes the attributes as they are, uint8 takes
        round(255 · clip(attribute, 0, 1)), halves up.
        `background`: what pixels without a triangle get, in units of `out`.
        `stream`: CUDA only, the handle of the stream to launch on (torch: `stream.cuda_stream`), 0 for the default
        one. The call does not wait, and can be captured in a CUDA graph once one such call has compiled the kernels.
        `light`: float32 [(B) 9, 3], bands of spherical harmonics × RGB (`shading.irradiance`). Then the first six
        attributes are albedo and normal (any length), and `out` has C - 3 channels, of which three show the lit colour.

        All arrays C-contiguous and where the triangles are. Raises ValueError with the argument's name on a wrong type,
        shape, layout or place, and on the CPU on a NaN in `vertices`, and draws nothing; on a CUDA device, where
        looking would mean waiting, triangles with a NaN are not drawn.
        """
        *_, count, _ = self._check("vertices", vertices, "float32", (*self._batch, "V", 3))
        if count < self._vertices_needed:
            raise ValueError(f"vertices has {count} rows, but triangles names vertex {self._vertices_needed - 1}")
        *_, channels = self._check("attributes", attributes, "float32", (*self._batch, count, "C"))
        if light is not None:
            self._check("light", light, "float32", (*self._batch, 9, 3))
            if channels < LIT:
                raise ValueError(
                    f"attributes has {channels} channels, expected 6 or more, albedo and normal, for light"
                )
            channels -= LIT // 2
        self._check("out", out, "float32 uint8", (*self._batch, *self._size, channels), written=True)
        if stream and not self._on_device:
            raise ValueError(f"stream is {stream}, but the triangles are a NumPy array, which is drawn without one")
        place = (stream,) if self._on_device else ()
        arrays = map(self._batched, (vertices, attributes, out))
        self._context.draw(*arrays, background, None if light is None else self._batched(light), *place)

    def _batched(self, array: Array) -> Array:
        array = self._backend.view(array)
        return array if self._batch else array.reshape(1, *array.shape)

    def _check(
        self, name: str, array: Array, dtypes: str, shape: tuple[int | str, ...], written: bool = False
    ) -> tuple[int, ...]:
        """The array's shape, if it is as expected; letters in `shape` stand for any size."""
        kind = "CUDA" if self._on_device else "NumPy"
        expected = f"a C-contiguous {kind} array {dtypes.replace(' ', ' or ')} [{', '.join(map(str, shape))}]"
        about = getattr(array, "__cuda_array_interface__" if self._on_device else "__array_interface__", None)
        if about is None or (not self._on_device and not isinstance(array, np.ndarray)):
            raise ValueError(f"{name} is a {type(array).__name__}, expected {expected}")
        have, dtype = about["shape"], np.dtype(about["typestr"]).name
        fits = len(have) == len(shape) and all(isinstance(w, str) or h == w for h, w in zip(have, shape, strict=True))
        if not fits or dtype not in dtypes.split() or about["strides"] is not None:
            order = "" if about["strides"] is None else " not C-contiguous,"
            raise ValueError(f"{name} is {dtype} {list(have)},{order} expected {expected}")
        if (device := self._backend.device_of(array)) != self._device:
            raise ValueError(f"{name} is on CUDA device {device}, expected {self._device}, the rasterizer's")
        if written and about["data"][1]:
            raise ValueError(f"{name} is read-only, expected {expected} to write to")
        return have
