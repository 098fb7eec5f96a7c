"""How often each pixel is covered, by the very pass that draws."""

import cv2
import numpy as np
from numba import njit

from kernels.coverage import EMPTY
from kernels.cpu import snap
from kernels.scatter_cpu import chunk_for, scatter


@njit
def _count(positions, packed, inverse_depth, triangles, cull, keys, chunk, counts):
    """Draw one triangle after the other, and wipe its box clean."""
    height, width = keys.shape
    corners, found, listed, blocks, places, owned, terms, offsets = chunk
    for f in range(0, len(triangles), 3):
        scatter(
            packed, inverse_depth, triangles[f : f + 3], cull, keys,
            corners, found, listed, blocks, places, owned, terms, offsets,
        )  # fmt: skip
        x, y = positions[triangles[f : f + 3], 0] >> 8, positions[triangles[f : f + 3], 1] >> 8
        for row in range(max(y.min(), 0), min(y.max() + 1, height)):
            for column in range(max(x.min(), 0), min(x.max() + 1, width)):
                counts[row, column] += keys[row, column] != EMPTY
                keys[row, column] = EMPTY


def coverage(vertices, triangles, cull, counts):
    """Add to int64 counts [H, W] how many triangles own each pixel."""
    positions, inverse_depth = np.empty((len(vertices), 2), np.int32), np.empty(len(vertices), np.float32)
    snap(vertices, positions, inverse_depth)
    keys, packed = np.full(counts.shape, EMPTY), positions.view(np.int64).reshape(-1)
    _count(positions, packed, inverse_depth, triangles.reshape(-1), cull, keys, chunk_for(counts.shape[1]), counts)
    if (keys != EMPTY).any():
        raise AssertionError("a triangle owns pixels outside its box")
    return counts


def holes(covered):
    """How many uncovered pixels cannot be reached from the picture's border, diagonal steps allowed.

    `covered`: bool [H, W]. A notch in the outline can be so narrow that only a diagonal leads out of it.
    """
    outside = np.pad(covered.astype(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 1, flags=8)
    return int((outside == 0).sum())
