"""What a reader of the camera missed, told from what was never sent; and the colours of the card."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from realtime.bench import frame_number
from tests.qemu.readers import losses
from tests.qemu.sender import TestCard, colour_error


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([3, 4, 6, 7], {}),
        ([3, 6, 7], {"lost": 1}),
        ([3, 4, 4, 6], {"repeated": 1}),
        ([4, 3, 6], {"backward": 1}),
        ([3, None, 6], {"lost": 1, "unread": 1}),
        ([3, 5, 6], {"lost": 1, "unread": 1}),
        ([], {}),
    ],
)
def test_losses_between_the_first_and_the_last_picture(seen, expected):
    none = dict.fromkeys(("lost", "repeated", "backward", "unread"), 0)
    assert losses(seen, [0, 1, 2, 3, 4, 6, 7, 8]) == {**none, "seen": len(seen), **expected}


def test_the_card_survives_the_camera_s_format_and_no_other_matrix():
    card = TestCard(640, 360, Fraction(25))
    picture, _ = card.step(np.zeros(640, np.float32), card.initial_state(77))
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
    seen = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)
    assert frame_number.read(seen[:, :, 1]) == 77
    assert colour_error(seen) <= 3
    assert colour_error(seen[:, :, ::-1]) > 50
    assert colour_error(np.clip(seen * 1.164 - 18, 0, 255)) > 10  # limited range taken for full
