"""The drawn crop in the frame: at the right place, nowhere else, in the frame's light."""

import cv2
import numpy as np
import pytest

from models.camera import Crop
from models.composite import Compositor
from models.conditioning import cut


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth picture in which neighbouring places differ."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 215, (height // 24 + 2, width // 24 + 2, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def soft_disc(radius: int = 100) -> np.ndarray:
    """255 inside, 0 outside, a rim of about 16 px between."""
    mask = np.zeros((256, 256), np.uint8)
    cv2.circle(mask, (128, 128), radius, 255, -1)
    return cv2.blur(mask, (17, 17))


CROPS = {
    "whole pixels": Crop(40.0, 30.0, 1.0),
    "shifted": Crop(40.3, 30.8, 1.0),
    "enlarged by the crop": Crop(60.4, 50.1, 1.37),
    "enlarged twice by the crop": Crop(100.2, 80.7, 1.93),
    "shrunk by the crop": Crop(12.6, 8.2, 0.61),
    "hanging over the left top": Crop(-70.5, -60.2, 0.9),
    "hanging over the right bottom": Crop(400.3, 260.9, 1.1),
    "larger than the frame": Crop(-30.0, -60.0, 0.43),
}


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
def test_what_was_cut_out_fits_where_it_came_from(crop):
    frame = scene(400, 520)
    pasted = frame.copy()
    Compositor().paste(pasted, cut(frame, crop), soft_disc(), crop)
    error = np.abs(pasted.astype(int) - frame)
    assert error.max() <= 6
    assert error.mean() <= 0.3
    if crop == CROPS["whole pixels"]:
        assert error.max() <= 1  # the gain may be a rounding away from 1


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
def test_only_what_the_mask_covers_is_touched(crop):
    frame = scene(400, 520)
    pasted = frame.copy()
    Compositor().paste(pasted, np.full((256, 256, 3), 255, np.uint8), soft_disc(60), crop)
    rows, columns = np.mgrid[:400, :520] + 0.5
    places = np.stack([(columns - crop.x) * crop.scale, (rows - crop.y) * crop.scale], axis=-1)
    away = np.hypot(*np.moveaxis(places - 128, -1, 0))
    reach = max(1, crop.scale)  # of one frame pixel, px of the crop
    np.testing.assert_array_equal(pasted[away > 60 + 12 + reach], frame[away > 60 + 12 + reach])
    inside = away < 60 - 12 - reach
    assert (pasted[inside] == 255).all()


@pytest.mark.parametrize(
    "crop", [Crop(600.0, 30.0, 1.0), Crop(-300.0, 30.0, 1.0), Crop(30.0, -300.0, 1.0), Crop(30.0, 900.0, 1.0)]
)
def test_a_crop_beyond_the_frame_changes_nothing(crop):
    frame = scene(400, 520)
    pasted = frame.copy()
    Compositor().paste(pasted, scene(256, 256), soft_disc(), crop)
    np.testing.assert_array_equal(pasted, frame)


def test_an_empty_mask_changes_nothing():
    frame = scene(400, 520)
    pasted = frame.copy()
    Compositor().paste(pasted, scene(256, 256), np.zeros((256, 256), np.uint8), Crop(40.0, 30.0, 1.0))
    np.testing.assert_array_equal(pasted, frame)


def test_a_mask_up_to_the_crops_border_fades_out_there():
    frame = np.full((400, 520, 3), 100, np.uint8)
    Compositor().paste(
        frame, np.full((256, 256, 3), 180, np.uint8), np.full((256, 256), 255, np.uint8), Crop(40.0, 30.0, 1.0)
    )
    profile = frame[150, 35:60, 0].astype(int)
    assert profile[0] == 100
    assert profile[-1] > 175
    assert np.diff(profile).min() >= 0
    assert np.diff(profile).max() <= 12  # no seam


@pytest.mark.parametrize("exposure", [0.85, 1.12])
def test_the_drawn_picture_takes_on_the_frames_light(exposure):
    frame = scene(400, 520)
    crop = Crop(40.3, 30.8, 1.1)
    drawn = np.clip(cut(frame, crop) * exposure, 0, 255).astype(np.uint8)
    drawn[100:150, 100:150] = 0  # a mouth that the frame does not show
    pasted = frame.copy()
    Compositor().paste(pasted, drawn, soft_disc(), crop)
    mouth = np.zeros((400, 520), bool)
    mouth[115:175, 125:185] = True
    assert np.abs(pasted.astype(int) - frame)[~mouth].mean() < 0.5
    assert (pasted[130:160, 140:170] == 0).all()  # black stays black


def test_a_different_picture_keeps_its_own_light():
    frame = np.full((400, 520, 3), 40, np.uint8)
    Compositor().paste(frame, np.full((256, 256, 3), 200, np.uint8), soft_disc(), Crop(40.0, 30.0, 1.0))
    assert (frame[150:160, 160:170] == 200).all()


def test_buffers_serve_any_size_in_turn():
    frame = scene(400, 520)
    compositor = Compositor()
    for crop in [*CROPS.values(), *reversed(CROPS.values())]:
        again, fresh = frame.copy(), frame.copy()
        compositor.paste(again, scene(256, 256, 1), soft_disc(), crop)
        Compositor().paste(fresh, scene(256, 256, 1), soft_disc(), crop)
        np.testing.assert_array_equal(again, fresh)
