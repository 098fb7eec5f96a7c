"""Pictures at another size keep their shape."""

import numpy as np
import pytest

from models.letterbox import Letterbox


@pytest.mark.parametrize(
    ("source", "target", "inside"),
    [
        ((64, 64), (128, 72), (28, 100, 0, 72)),
        ((64, 64), (48, 96), (0, 48, 24, 72)),
        ((128, 72), (64, 64), (0, 64, 14, 50)),
        ((64, 48), (80, 60), (0, 80, 0, 60)),
        ((64, 64), (96, 64), (16, 80, 0, 64)),
    ],
)
def test_the_picture_is_whole_and_centred_between_black_bars(source, target, inside):
    framed = Letterbox(source, target)(np.full((source[1], source[0], 3), 200, np.uint8))
    left, right, top, bottom = inside
    assert framed.shape == (target[1], target[0], 3)
    assert (framed[top:bottom, left:right] == 200).all()
    framed[top:bottom, left:right] = 0
    assert not framed.any()


def test_the_same_size_costs_nothing():
    picture = np.zeros((4, 6, 3), np.uint8)
    assert Letterbox((6, 4), (6, 4))(picture) is picture
