"""Normals of a mesh's vertices, on one core, without allocating."""

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(nogil=True, error_model="numpy", cache=True)
def vertex_normals(vertices: Array, triangles: Array, out: Array) -> None:
    """Write unit normals float32 [V, 3], each the area-weighted mean of those of the triangles around; 0 without any.

    `vertices`: float32 [V, 3]. `triangles`: int32 [F, 3], counter-clockwise seen from outside, numbers from 0 to V - 1.
    """
    out[:] = 0
    for f in range(triangles.shape[0]):
        a, b, c = np.uint32(triangles[f, 0]), np.uint32(triangles[f, 1]), np.uint32(triangles[f, 2])
        px, py, pz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        qx, qy, qz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx  # twice the area long
        for v in (a, b, c):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for row in range(out.shape[0]):
        length = np.sqrt(out[row, 0] * out[row, 0] + out[row, 1] * out[row, 1] + out[row, 2] * out[row, 2])
        scale = np.float32(1) / length if length > 0 else np.float32(0)
        out[row, 0] *= scale
        out[row, 1] *= scale
        out[row, 2] *= scale
