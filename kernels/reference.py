"""The definition of right: what `Rasterizer` draws, in slow NumPy, one triangle after another.

Written apart from `coverage.py` on purpose; only NEAR, FAR and LIMIT, which are part of the definition, are shared.
"""

from typing import Any

import numpy as np

from kernels.coverage import FAR, LIMIT, NEAR

Array = np.ndarray[Any, Any]


def draw(
    vertices: Array, triangles: Array, attributes: Array, height: int, width: int, cull: bool = True
) -> tuple[Array, Array, Array]:
    """vertices float32 [V, 3] (u px, v px, depth cm), triangles int32 [F, 3], attributes float32 [V, C].

    Gives ids int32 [H, W] (-1 where there is no triangle), depth float32 [H, W] (infinite there) and the attributes
    float64 [H, W, C] (0 there).
    """
    ids = np.full((height, width), -1, np.int32)
    near = np.zeros((height, width), np.float32)  # 1/depth
    picture = np.zeros((height, width, attributes.shape[1]))
    for triangle, corners in enumerate(triangles):
        covered = _cover(vertices[corners], height, width, cull)
        if covered is None:
            continue
        rows, columns, edges, inverse_depth = covered
        # Products of two 24-bit numbers are exact in float64: whether they are fused with the sum makes no difference.
        terms = edges.astype(np.float32).astype(np.float64) * inverse_depth.astype(np.float64)
        total = (terms[:, 0] + terms[:, 1]) + terms[:, 2]
        own = (total * (1 / edges[0].sum().astype(np.float64))).astype(np.float32)
        nearer = own > near[rows, columns]  # strictly: at equal depth the lower number stays
        rows, columns = rows[nearer], columns[nearer]
        perspective = edges[nearer].astype(np.float64) * inverse_depth
        perspective /= perspective.sum(axis=1, keepdims=True)
        ids[rows, columns] = triangle
        near[rows, columns] = own[nearer]
        picture[rows, columns] = perspective @ attributes[corners].astype(np.float64)
    with np.errstate(divide="ignore"):
        return ids, 1 / near, picture


def _cover(corners: Array, height: int, width: int, cull: bool) -> tuple[Array, Array, Array, Array] | None:
    """rows [N], columns [N], edge values int64 [N, 3] and 1/depth float32 [3] where a triangle owns pixels, or None."""
    u, v, z = corners.T
    in_range = (np.abs(u) < LIMIT) & (np.abs(v) < LIMIT) & (z > NEAR) & (z < FAR)
    if not in_range.all():
        return None
    # In 1/256 px from the centre of the first pixel, halves up.
    x, y = (np.floor(np.float64(axis) * 256 - 128 + 0.5).astype(np.int64) for axis in (u, v))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])  # positive: clockwise on the screen
    if area == 0 or (cull and area > 0):
        return None
    first_row, last_row = max(-(-int(y.min()) // 256), 0), min(int(y.max()) // 256, height - 1)
    first_column, last_column = max(-(-int(x.min()) // 256), 0), min(int(x.max()) // 256, width - 1)
    if first_row > last_row or first_column > last_column:
        return None
    rows, columns = np.mgrid[first_row : last_row + 1, first_column : last_column + 1].reshape(2, -1)
    edges = np.empty((len(rows), 3), np.int64)
    inside = np.ones(len(rows), bool)
    for opposite in range(3):
        a, b = (opposite + 1) % 3, (opposite + 2) % 3
        if area < 0:
            a, b = b, a
        dx, dy = x[b] - x[a], y[b] - y[a]
        value = dx * (rows * 256 - y[a]) - dy * (columns * 256 - x[a])
        owns = dy < 0 or (dy == 0 and dx > 0)  # a left or a top edge of a clockwise triangle
        inside &= (value > 0) | ((value == 0) & owns)
        edges[:, opposite] = value
    if not inside.any():
        return None
    return rows[inside], columns[inside], edges[inside], np.float32(1) / z.astype(np.float32)
