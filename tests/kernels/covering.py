"""How often each pixel is covered, by the very function that draws."""

import cv2
import numpy as np
from numba import njit

from kernels.shading import build


@njit
def _count(keys, row, column, key):
    keys[row, column] += 1


_snap, _cover, *_ = build(njit, _count)


@njit
def coverage(vertices, triangles, cull, counts):
    """Add to int64 counts [H, W] how many triangles own each pixel."""
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        ax, ay, qa = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
        bx, by, qb = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
        cx, cy, qc = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
        _cover(
            f, np.int64(ax), np.int64(ay), qa, np.int64(bx), np.int64(by), qb, np.int64(cx), np.int64(cy), qc,
            cull, 0, 1, counts,
        )  # fmt: skip
    return counts


def holes(covered):
    """How many uncovered pixels cannot be reached from the picture's border, diagonal steps allowed.

    `covered`: bool [H, W]. A notch in the outline can be so narrow that only a diagonal leads out of it.
    """
    outside = np.pad(covered.astype(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 1, flags=8)
    return int((outside == 0).sum())
