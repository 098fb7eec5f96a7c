"""Colour match and blend against NumPy."""

import numpy as np
import pytest

from kernels.blend import ALIKE, ENOUGH, ONE, blend, gains

RNG = np.random.default_rng(0)


def test_blending_rounds_as_the_exact_mix_does():
    picture = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    patch = RNG.integers(0, 256, (40, 50, 4), dtype=np.uint8)
    patch[:4, :, 3], patch[4:8, :, 3] = 0, 255
    gain = (0.9, 1.0, 1.2)
    above = np.minimum(patch[..., :3] * np.array(gain), 255)
    exact = picture + (above - picture) * (patch[..., 3:] / 255)
    out = picture.copy()
    blend(out, patch, tuple(int(ONE * value) for value in gain))
    assert np.abs(out - exact).max() <= 1.6  # alpha is taken in steps of 1/256
    np.testing.assert_array_equal(out[:4], picture[:4])
    assert np.abs(out[4:8] - above[4:8]).max() <= 0.51


@pytest.mark.parametrize("exposure", [0.85, 1.0, 1.15])
def test_gains_undo_an_exposure_seen_on_the_rim(exposure):
    picture = RNG.integers(60, 180, (40, 50, 3), dtype=np.uint8)
    patch = np.zeros((40, 50, 4), np.uint8)
    patch[..., :3] = np.round(picture * exposure)
    patch[10:30, 10:40, 3] = 128
    patch[15:25, 15:35] = [0, 0, 255, 255]  # not the rim: whatever it holds
    patch[10, 10:40, :3] = picture[10, 10:40] + 2 * ALIKE  # different things, which say nothing
    assert np.array(gains(picture, patch)) / ONE == pytest.approx([1 / exposure] * 3, rel=0.01)


def test_too_small_a_rim_says_nothing():
    picture, patch = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 4), 120, np.uint8)
    patch[..., 3] = 0
    patch.reshape(-1, 4)[: ENOUGH - 1, 3] = 128
    assert gains(picture, patch) == (ONE, ONE, ONE)
    patch.reshape(-1, 4)[:ENOUGH, 3] = 128
    assert gains(picture, patch)[0] < ONE
