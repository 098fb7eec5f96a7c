"""Sound against lips: a known shift is found, and nothing is claimed where nothing fits."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import models
from models.training.linear_path import DELAYS
from models.training.lip_sync import LOOK_AHEAD, expected_opening, measure
from models.video import read_sound

FPS = Fraction(25)


@pytest.fixture(scope="module")
def sound():
    return read_sound(Path(models.__file__).parent / "bundled" / "hello.wav")


def opening(sound, late_s):
    """Lips that do what is expected, but later, and some noise."""
    said = expected_opening(sound)
    time = np.arange(int(len(sound) / 16_000 * FPS)) / float(FPS)
    hop = (time - late_s) * 100 + DELAYS[LOOK_AHEAD] - 1
    lips = np.interp(hop, np.arange(len(said)), said)
    return lips + np.random.default_rng(0).normal(0, lips.std(), len(lips))


@pytest.mark.parametrize("late_s", [-0.25, -0.04, 0.0, 0.123])
def test_a_shift_is_found(sound, late_s):
    offset = measure(expected_opening(sound), opening(sound, late_s), FPS)
    assert offset.trusted
    assert offset.late_ms == pytest.approx(1000 * late_s, abs=15)


def test_lost_frames_do_not_count(sound):
    lips = opening(sound, 0.1)
    lips[50:90] = np.nan
    assert measure(expected_opening(sound), lips, FPS).late_ms == pytest.approx(100, abs=20)


@pytest.mark.parametrize("seed", range(5))
def test_other_lips_are_not_trusted(sound, seed):
    noise = np.random.default_rng(seed).normal(size=251)
    assert not measure(expected_opening(sound), np.convolve(noise, np.ones(5) / 5, "same"), FPS).trusted


def test_a_closed_mouth_is_not_trusted(sound):
    assert not measure(expected_opening(sound), np.zeros(251), FPS).trusted
