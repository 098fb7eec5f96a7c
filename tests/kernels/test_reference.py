"""The definition itself, on a picture small enough to work out by hand."""

import numpy as np

from kernels import reference

NEAR_ONE = [(0.5, 3.5, 2), (3.5, 3.5, 2), (0.5, 0.5, 2)]
FAR_ONE = [(-9.5, 9.5, 4), (9.5, 9.5, 4), (-9.5, -9.5, 4)]


def draw(corners, triangles, **options):
    vertices = np.array(corners, np.float32)
    return reference.draw(vertices, np.array(triangles, np.int32), vertices[:, :1], 4, 5, **options)


def test_a_right_triangle_through_pixel_centres():
    ids, depth, picture = draw(NEAR_ONE, [[0, 1, 2]])
    # Its left edge owns the centres on it; its bottom edge and its slope, which is a right edge, do not.
    want = [
        [-1, -1, -1, -1, -1],
        [0, -1, -1, -1, -1],
        [0, 0, -1, -1, -1],
        [-1, -1, -1, -1, -1],
    ]
    np.testing.assert_array_equal(ids, want)
    np.testing.assert_array_equal(depth, np.where(np.array(want) == 0, 2, np.inf))
    np.testing.assert_allclose(picture[2, :2, 0], [0.5, 1.5])  # the attribute is u


def test_the_nearer_hides_the_farther_whatever_the_order():
    near_first, _, _ = draw(NEAR_ONE + FAR_ONE, [[0, 1, 2], [3, 4, 5]])
    far_first, _, _ = draw(NEAR_ONE + FAR_ONE, [[3, 4, 5], [0, 1, 2]])
    assert near_first[2, 0] == 0
    assert far_first[2, 0] == 1
    np.testing.assert_array_equal(near_first[near_first >= 0], 1 - far_first[far_first >= 0])


def test_depth_is_interpolated_with_perspective():
    _, depth, _ = draw([(-4, 4, 2), (9, 4, 6), (-4, -4, 2)], [[0, 1, 2]])
    share = (0.5 + 4) / 13  # of the way from the left edge to the right corner, on the screen
    np.testing.assert_allclose(depth[2, 0], 1 / ((1 - share) / 2 + share / 6), rtol=1e-6)


def test_culling_is_by_the_winding():
    assert (draw(NEAR_ONE, [[0, 2, 1]])[0] == -1).all()
    np.testing.assert_array_equal(draw(NEAR_ONE, [[0, 2, 1]], cull=False)[0], draw(NEAR_ONE, [[0, 1, 2]])[0])
