"""What the renderer should draw, and what a viewer then sees."""

import cv2
import numpy as np
import pytest

from models.camera import Crop
from models.composite import Compositor
from models.conditioning import cut
from models.renderer_format import SIZE
from models.training.targets import target


def detailed(height=300, width=320):
    """A picture with detail as fine as a camera's."""
    noise = np.random.default_rng(0).normal(128, 60, (height, width, 3))
    return cv2.GaussianBlur(noise, (0, 0), 0.7).clip(0, 255).astype(np.uint8)


def pasted(frame, drawn, crop):
    """The frame with all of `drawn` in it, without a blend mask's edge."""
    out = np.full_like(frame, 128)
    Compositor().paste(out, drawn, np.full((SIZE, SIZE), 255, np.uint8), crop)
    return out[60:240, 60:240].astype(float)


@pytest.mark.parametrize("scale", [0.9, 1.14, 1.68])
def test_a_paste_of_the_target_is_the_frame(scale):
    frame = detailed()
    crop = Crop(150.3 - 128 / scale, 149.6 - 128 / scale, scale)
    filmed = frame[60:240, 60:240].astype(float)
    errors, detail = zip(
        *(
            (np.abs(seen - filmed)[40:-40, 40:-40].mean(), cv2.Laplacian(seen[40:-40, 40:-40], cv2.CV_64F).var())
            for seen in (pasted(frame, cut(frame, crop), crop), pasted(frame, target(frame, crop), crop), filmed)
        ),
        strict=True,
    )
    assert errors[1] < 0.7 * errors[0]
    assert abs(1 - detail[1] / detail[2]) < 0.6 * abs(1 - detail[0] / detail[2])


@pytest.mark.parametrize("crop", [Crop(-60.0, 200.0, 1.2), Crop(500.0, 20.0, 1.0), Crop(-999.0, -999.0, 2.0)])
def test_a_crop_over_the_border_or_beyond_it_is_drawn_too(crop):
    frame = np.full((300, 320, 3), (10, 120, 240), np.uint8)
    assert (np.abs(target(frame, crop).astype(int) - [10, 120, 240]) <= 1).all()
