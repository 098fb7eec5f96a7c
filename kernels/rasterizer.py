"""Draw triangles with per-vertex attributes into a picture: every pixel exactly once, every run the same.

    rasterizer = Rasterizer(256, 256, face.triangles)
    rasterizer.draw(project(camera, vertices), attributes, out)

What is drawn is defined by `reference.py`; how fast by `cpu.py` and `cuda.py`.
"""

from typing import Any

import numpy as np

from kernels import cpu
from kernels.shading import EMPTY

Array = np.ndarray[Any, Any]


class Rasterizer:
    """The buffers for drawing one mesh at one size; not to be shared between threads.

    `height`, `width`: px, 1 to 16384. `triangles`: int32 [F, 3], counter-clockwise seen from outside (y up); copied.
    `cull`: leave out triangles that turn their back.

    Pixel (row, column) has its centre at v = row + 0.5, u = column + 0.5. Triangles with a vertex at a depth of
    `shading.NEAR` (0.1 cm) or less, or more than 2²¹ px from the origin, are not drawn; there is no clipping.
    """

    def __init__(self, height: int, width: int, triangles: Array, cull: bool = True) -> None:
        for name, size in (("height", height), ("width", width)):
            if not 1 <= size <= 16384:
                raise ValueError(f"{name} is {size}, expected 1 to 16384 px")
        _check("triangles", triangles, np.int32, ("F", 3))
        if triangles.size and triangles.min() < 0:
            raise ValueError(f"triangles holds the vertex number {triangles.min()}, expected 0 or more")
        self._triangles = triangles.copy()
        self._vertices_used = int(triangles.max(initial=-1)) + 1
        self._cull = bool(cull)
        self._keys = np.full((height, width), EMPTY, np.int64)
        self._ids = np.full((height, width), -1, np.int32)
        self._positions = np.empty((0, 2), np.int32)
        self._inverse_depth = np.empty(0, np.float32)

    @property
    def ids(self) -> Array:
        """Number of the triangle shown by each pixel in the last `draw`, -1 for none: int32 [H, W], read-only.

        The same memory at every call: the next `draw` overwrites it, so copy what must stay.
        """
        view = self._ids.view()
        view.flags.writeable = False
        return view

    def draw(self, vertices: Array, attributes: Array, out: Array, background: float = 0) -> None:
        """Draw the mesh into `out`, every pixel of which is written.

        `vertices`: float32 [V, 3], (u px, v px, depth cm), as `models.camera.project` gives them.
        `attributes`: float32 [V, C], interpolated with perspective.
        `out`: [H, W, C], owned by the caller; float32 takes the attributes as they are, uint8 takes
        round(255 · clip(attribute, 0, 1)).
        `background`: what pixels without a triangle get, in units of `out`.

        All arrays C-contiguous. Raises ValueError with the argument's name, and draws nothing, on a wrong type, shape
        or layout and on a vertex that is not a number.
        """
        height, width = self._keys.shape
        _check("vertices", vertices, np.float32, ("V", 3))
        if len(vertices) < self._vertices_used:
            raise ValueError(f"vertices has {len(vertices)} rows, but triangles uses {self._vertices_used}")
        _check("attributes", attributes, np.float32, (len(vertices), "C"))
        as_bytes = getattr(out, "dtype", None) == np.uint8
        _check("out", out, np.uint8 if as_bytes else np.float32, (height, width, attributes.shape[1]))
        if not out.flags.writeable:
            raise ValueError("out is read-only, expected an array to write to")
        if len(self._positions) != len(vertices):
            self._positions = np.empty((len(vertices), 2), np.int32)
            self._inverse_depth = np.empty(len(vertices), np.float32)

        bad = cpu.snap(vertices, self._positions, self._inverse_depth)
        if bad >= 0:
            raise ValueError(f"vertices[{bad}] is {vertices[bad].tolist()}, expected numbers")
        cpu.scatter(self._positions, self._inverse_depth, self._triangles, self._cull, self._keys)
        resolve = cpu.resolve_bytes if as_bytes else cpu.resolve_floats
        resolve(
            self._positions,
            self._inverse_depth,
            self._triangles,
            attributes,
            out.dtype.type(background),
            self._keys,
            self._ids,
            out,
        )


def _check(name: str, array: Array, dtype: type[np.generic], shape: tuple[int | str, ...]) -> None:
    """Letters in `shape` stand for any size."""
    expected = f"{np.dtype(dtype).name} [{', '.join(map(str, shape))}]"
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is a {type(array).__name__}, expected a NumPy array {expected}")
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise ValueError(f"{name} is {array.dtype.name} {list(array.shape)}, expected {expected}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not C-contiguous; pass np.ascontiguousarray({name})")
