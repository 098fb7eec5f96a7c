"""How often each pixel is covered, by the very functions that draw."""

import cv2
import numpy as np
from numba import njit

from kernels.coverage import build
from kernels.cpu import WIDE


@njit
def _count(keys, row, column, key):
    keys[row, column] += 1


_snap, _facing, _box, _fill, _, _fill_wide, *_ = build(njit, _count, np.int64, np.int64)


@njit
def coverage(vertices, triangles, cull, counts):
    """Add to int64 counts [H, W] how many triangles own each pixel."""
    for f in range(len(triangles)):
        a, b, c = triangles[f]
        ax, ay, qa = _snap(vertices[a, 0], vertices[a, 1], vertices[a, 2])
        bx, by, qb = _snap(vertices[b, 0], vertices[b, 1], vertices[b, 2])
        cx, cy, qc = _snap(vertices[c, 0], vertices[c, 1], vertices[c, 2])
        corners = np.int64(ax), np.int64(ay), np.int64(bx), np.int64(by), np.int64(cx), np.int64(cy)
        area = _facing(corners, cull)
        if area != 0:
            pixels = _box(corners, *counts.shape)
            if pixels[1][1] - pixels[1][0] < WIDE:
                _fill(f, corners, (qa, qb, qc), area, pixels, 0, 1, counts)
            else:
                _fill_wide(f, corners, (qa, qb, qc), area, pixels, counts)
    return counts


def holes(covered):
    """How many uncovered pixels cannot be reached from the picture's border, diagonal steps allowed.

    `covered`: bool [H, W]. A notch in the outline can be so narrow that only a diagonal leads out of it.
    """
    outside = np.pad(covered.astype(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 1, flags=8)
    return int((outside == 0).sum())
