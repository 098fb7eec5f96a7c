"""What is cut out of a frame and where its points go back to agree, pixel centres included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.square import Square

angles = st.floats(-1.0, 1.0, allow_subnormal=False)
squares = st.builds(Square, st.floats(40.0, 60.0), st.floats(40.0, 60.0), st.floats(20.0, 60.0), angles)


@given(squares)
def test_a_spot_in_the_cut_goes_back_to_where_it_is(square):
    """A soft spot centred at (52.5, 47.5) frame px."""
    y, x = np.mgrid[:100, :100] + 0.5
    spot = 255 * np.exp(-((x - 52.5) ** 2 + (y - 47.5) ** 2) / 8)
    cut = square.cut(np.repeat(spot[..., None], 3, axis=2).astype(np.uint8), 96)[..., 0].astype(np.float64)
    middle = square.to_frame(np.array([[48, 48, 0]], np.float32), 96)[0]
    np.testing.assert_allclose(middle, [square.x, square.y, 0], atol=1e-3)
    if np.hypot(square.x - 52.5, square.y - 47.5) > square.side / 2 - 8:
        return  # the spot is not wholly inside
    v, u = np.mgrid[:96, :96] + 0.5
    found = np.array([[(u * cut).sum() / cut.sum(), (v * cut).sum() / cut.sum(), 0.0]], np.float32)
    np.testing.assert_allclose(square.to_frame(found, 96)[0, :2], [52.5, 47.5], atol=0.1)


def test_depth_scales_like_the_picture():
    points = np.array([[0.0, 0.0, 10.0]], np.float32)
    assert Square(0.0, 0.0, 64.0, 0.5).to_frame(points, 128)[0, 2] == pytest.approx(5.0)


def test_around_is_level_with_the_eyes():
    points = np.array([[10.0, 20.0, 0.0], [30.0, 60.0, 0.0]], np.float32)
    right, left = np.array([10.0, 20.0, 0.0], np.float32), np.array([20.0, 30.0, 0.0], np.float32)
    square = Square.around(points, right, left)
    assert (square.x, square.y, square.side) == (20.0, 40.0, 60.0)
    assert square.roll == pytest.approx(np.pi / 4)  # the person's left eye is lower on the screen


def test_overlap():
    one = Square(10.0, 10.0, 10.0, 0.0)
    assert one.overlap(one) == pytest.approx(1.0)
    assert one.overlap(Square(15.0, 10.0, 10.0, 1.0)) == pytest.approx(1 / 3)
    assert one.overlap(Square(40.0, 10.0, 10.0, 0.0)) == 0.0


def test_outside_the_frame_the_edge_is_repeated():
    frame = np.full((20, 20, 3), 77, np.uint8)
    assert (Square(0.0, 0.0, 30.0, 0.3).cut(frame, 32) == 77).all()
