"""What leaves a GPU early and what leaves late is the whole picture, and all rows that a crop may change leave late."""

import numpy as np
import pytest

from export.pasting import byte_spans

HEIGHT, WIDTH = 12, 16
BOX = 4, 10, 2, 8


@pytest.mark.parametrize("i420", [False, True])
def test_every_byte_leaves_once(i420):
    shape = (1, HEIGHT * 3 // 2, WIDTH) if i420 else (1, HEIGHT, WIDTH, 3)
    early, late = byte_spans(shape, BOX, i420)
    left = np.zeros(np.prod(shape), int)
    for first, last in (*early, *late):
        left[first:last] += 1
    assert (left == 1).all()


def test_rows_of_the_box_leave_late():
    _, late = byte_spans((1, HEIGHT, WIDTH, 3), BOX, False)
    assert late == [(4 * WIDTH * 3, 10 * WIDTH * 3)]


def test_rows_of_the_box_leave_late_in_every_plane():
    top, bottom, *_ = BOX
    planes = np.zeros(HEIGHT * WIDTH * 3 // 2, int)
    planes[: HEIGHT * WIDTH].reshape(HEIGHT, WIDTH)[top:bottom] = 1
    for plane in np.split(planes[HEIGHT * WIDTH :], 2):
        plane.reshape(HEIGHT // 2, WIDTH // 2)[top // 2 : bottom // 2] = 1
    _, late = byte_spans((1, HEIGHT * 3 // 2, WIDTH), BOX, True)
    assert sorted(np.concatenate([np.arange(*span) for span in late])) == np.flatnonzero(planes).tolist()
