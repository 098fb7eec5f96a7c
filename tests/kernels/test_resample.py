"""Resampling against its formula in NumPy, and what a good resampler must keep."""

import numpy as np
import pytest

from kernels.resample import STRETCH, resample

RNG = np.random.default_rng(0)


def keys(d):
    """Cubic convolution kernel with a = -3/4."""
    d = np.abs(d)
    return np.where(d < 1, 1.25 * d**3 - 2.25 * d**2 + 1, np.where(d < 2, -0.75 * d**3 + 3.75 * d**2 - 6 * d + 3, 0))


def matrix(count, size, origin, scale):
    """[count, size] what each output takes of each input; inputs beyond the border are those at it."""
    stretch = max(1, STRETCH / scale)
    centre = origin + (np.arange(count) + 0.5) / scale
    places = np.arange(-3 * size - 200, 4 * size + 200)
    weights = keys((places + 0.5 - centre[:, None]) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    taken = np.zeros((count, size))
    np.add.at(taken.T, np.clip(places, 0, size - 1), weights.T)
    return taken


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("scale", [0.31, 0.5, 0.83, 1.0, 1.6, 3.0])
@pytest.mark.parametrize("corner", [(0.0, 0.0), (3.3, -2.7), (-30.0, 17.4), (45.5, -60.0)])
def test_it_is_cubic_convolution(channels, scale, corner):
    source = RNG.integers(0, 256, (37, 45, channels), dtype=np.uint8)
    out = np.empty((24, 31, channels), np.uint8)
    resample(source, out, *corner, scale)
    down, across = matrix(24, 37, corner[1], scale), matrix(31, 45, corner[0], scale)
    exact = np.clip(np.einsum("ih,hwc,jw->ijc", down, source, across), 0, 255)
    assert np.abs(out - exact).max() <= 0.501


def test_whole_pixels_are_copied():
    source = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    out = np.empty((8, 9, 3), np.uint8)
    resample(source, out, 4.0, 5.0, 1.0)
    np.testing.assert_array_equal(out, source[5:13, 4:13])


def test_shrinking_turns_fine_detail_into_its_mean():
    source = np.zeros((64, 64, 3), np.uint8)
    source[::2, ::2] = source[1::2, 1::2] = 200
    out = np.empty((16, 16, 3), np.uint8)
    resample(source, out, 0.3, 0.7, 0.25)
    assert np.abs(out[3:-3, 3:-3].astype(int) - 100).max() <= 2


def test_there_and_back_keeps_the_detail():
    """A frame goes through a crop: enlarged, drawn, shrunk."""
    frame = np.clip(128 + 40 * RNG.standard_normal((48, 48, 1)), 0, 255).repeat(3, axis=2)
    frame = (0.5 * frame + 0.25 * np.roll(frame, 1, axis=0) + 0.25 * np.roll(frame, 1, axis=1)).astype(np.uint8)
    crop, back = np.empty((90, 90, 3), np.uint8), np.empty((48, 48, 3), np.uint8)
    resample(frame, crop, -2.0, -2.0, 1.6)
    resample(crop, back, 3.2, 3.2, 1 / 1.6)
    kept = np.var(np.diff(back[4:-4, 4:-4, 0].astype(int))) / np.var(np.diff(frame[4:-4, 4:-4, 0].astype(int)))
    assert 0.75 < kept < 1.1
