"""Triangle meshes: surface nets over a distance field (Gibson 1998), and plain grids.

A mesh is (vertices float32[V, 3], triangles int32[F, 3]), triangles counter-clockwise seen from outside.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.character.compiled import compiled, specialised

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Mesh = tuple[Floats, Ints]
Field = Any  # (x, y, z) -> distance, compiled by Numba


def axis(start: float, stop: float, step: float, *fine: tuple[float, float, float]) -> NDArray[np.float64]:
    """Grid lines from start to stop: `step` apart, closer around each (centre, half width, fine step)."""
    lines = [start]
    while lines[-1] < stop:
        here = lines[-1]
        size = step
        for centre, half, small in fine:
            size = min(size, small + max(abs(here - centre) - half, 0.0) * 0.22)
        lines.append(here + size)
    return np.array(lines)


@specialised
def sample(field: Field, xs: NDArray[np.float64], ys: NDArray[np.float64], zs: NDArray[np.float64]) -> Floats:
    values = np.empty((len(xs), len(ys), len(zs)), np.float32)
    for i in range(len(xs)):
        for j in range(len(ys)):
            k = 0
            while k < len(zs):
                d = field(xs[i], ys[j], zs[k])
                values[i, j, k] = d
                k += 1
                # Far from the surface the field hardly needs looking at.
                while k < len(zs) - 1 and abs(d) > 1.6 and zs[k] - zs[k - 1] < abs(d) - 1.2:
                    d = d - (zs[k] - zs[k - 1]) if d > 0 else d + (zs[k] - zs[k - 1])
                    values[i, j, k] = d
                    k += 1
    return values


@compiled
def cells(
    values: Floats, xs: NDArray[np.float64], ys: NDArray[np.float64], zs: NDArray[np.float64]
) -> tuple[Ints, Floats]:
    """One vertex per cell that the surface crosses, at the mean of its edge crossings."""
    nx, ny, nz = values.shape
    index = np.full((nx, ny, nz), -1, np.int32)
    found = np.empty((nx * ny * 8, 3), np.float32)
    count = 0
    for i in range(nx - 1):
        for j in range(ny - 1):
            for k in range(nz - 1):
                first = values[i, j, k] < 0
                mixed = False
                for c in range(1, 8):
                    if (values[i + (c & 1), j + (c >> 1 & 1), k + (c >> 2)] < 0) != first:
                        mixed = True
                if not mixed:
                    continue
                px, py, pz, n = 0.0, 0.0, 0.0, 0
                for c in range(8):
                    for bit in (1, 2, 4):
                        if c & bit:
                            continue
                        e = c | bit
                        a = values[i + (c & 1), j + (c >> 1 & 1), k + (c >> 2)]
                        b = values[i + (e & 1), j + (e >> 1 & 1), k + (e >> 2)]
                        if (a < 0) == (b < 0):
                            continue
                        t = a / (a - b)
                        tx = (c & 1) + (t if bit == 1 else 0.0)
                        ty = (c >> 1 & 1) + (t if bit == 2 else 0.0)
                        tz = (c >> 2) + (t if bit == 4 else 0.0)
                        px += xs[i] + tx * (xs[i + 1] - xs[i])
                        py += ys[j] + ty * (ys[j + 1] - ys[j])
                        pz += zs[k] + tz * (zs[k + 1] - zs[k])
                        n += 1
                found[count, 0], found[count, 1], found[count, 2] = px / n, py / n, pz / n
                index[i, j, k] = count
                count += 1
    return index, found[:count].copy()


@compiled
def faces(values: Floats, index: Ints) -> Ints:
    """Two triangles for every grid edge that the surface crosses."""
    nx, ny, nz = values.shape
    out = np.empty((index.max() * 3 + 16, 2, 3), np.int32)
    count = 0
    for i in range(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                inside = values[i, j, k] < 0
                for along in range(3):
                    if along == 0:
                        other = values[i + 1, j, k] < 0
                        a, b, c, d = index[i, j - 1, k - 1], index[i, j, k - 1], index[i, j, k], index[i, j - 1, k]
                    elif along == 1:
                        other = values[i, j + 1, k] < 0
                        a, b, c, d = index[i - 1, j, k - 1], index[i - 1, j, k], index[i, j, k], index[i, j, k - 1]
                    else:
                        other = values[i, j, k + 1] < 0
                        a, b, c, d = index[i - 1, j - 1, k], index[i, j - 1, k], index[i, j, k], index[i - 1, j, k]
                    if other == inside or min(min(a, b), min(c, d)) < 0:
                        continue
                    if not inside:
                        b, d = d, b
                    out[count, 0, 0], out[count, 0, 1], out[count, 0, 2] = a, b, c
                    out[count, 1, 0], out[count, 1, 1], out[count, 1, 2] = a, c, d
                    count += 1
    return out[:count].copy().reshape(-1, 3)


@specialised
def settle(field: Field, vertices: Floats) -> None:
    """Move the vertices onto the surface, along its gradient."""
    e = 0.02
    for v in range(len(vertices)):
        for _ in range(2):
            x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
            d = field(x, y, z)
            gx = (field(x + e, y, z) - field(x - e, y, z)) / (2 * e)
            gy = (field(x, y + e, z) - field(x, y - e, z)) / (2 * e)
            gz = (field(x, y, z + e) - field(x, y, z - e)) / (2 * e)
            step = min(max(d / max(gx * gx + gy * gy + gz * gz, 0.25), -0.05), 0.05) * 0.8
            vertices[v, 0] = x - step * gx
            vertices[v, 1] = y - step * gy
            vertices[v, 2] = z - step * gz


def surface(field: Field, xs: NDArray[np.float64], ys: NDArray[np.float64], zs: NDArray[np.float64]) -> Mesh:
    """The zero surface of a Numba-compiled field over the box spanned by the grid lines."""
    values = sample(field, xs, ys, zs)
    index, vertices = cells(values, xs, ys, zs)
    triangles = faces(values, index)
    settle(field, vertices)
    return vertices, triangles


def sheet(points: NDArray[np.floating], closed: bool = False) -> Mesh:
    """A grid of points [m, n, 3] as a mesh; `closed` joins the last column to the first. Winding: m right, n up."""
    m, n = points.shape[:2]
    ids = np.arange(m * n, dtype=np.int32).reshape(m, n)
    if closed:
        ids = np.concatenate([ids, ids[:, :1]], axis=1)
    a, b, c, d = ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=2).reshape(-1, 3)
    return points.reshape(-1, 3).astype(np.float32), triangles


def two_sided(mesh: Mesh) -> Mesh:
    """An open sheet that can be seen from behind too (its own vertices there, for its own normals)."""
    vertices, triangles = mesh
    return np.concatenate([vertices, vertices]), np.concatenate([triangles, triangles[:, ::-1] + len(vertices)])


@compiled
def vertex_normals(vertices: Floats, triangles: Ints) -> Floats:
    """Unit normals [V, 3], weighted by area."""
    normals = np.zeros_like(vertices)
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ux, uy, uz = (vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2])
        vx, vy, vz = (vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2])
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(len(normals)):
        n = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + 1e-12
        normals[v] /= n
    return normals
