"""Idle motion: human in size and rate, never periodic, at rest where the clip turns."""

from fractions import Fraction

import numpy as np
import pytest

from models.camera import rotation_matrix
from models.motion import Idle, Motion

FPS = Fraction(25)
FRAMES = 500


def lids(idle, minutes=10):
    return np.array([idle(n).lids for n in range(int(minutes * 60 * FPS))])


def begun(closure):
    return np.flatnonzero((closure[1:] > 0) & (closure[:-1] == 0))


def test_the_same_seed_moves_alike_and_another_one_does_not():
    one, same, other = (Idle(FRAMES, FPS, seed)(123) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.rotation, same.rotation)
    assert np.abs(one.rotation - other.rotation).max() > 1e-3


def test_the_sway_rests_where_the_clip_turns():
    way = np.array([[*Idle(FRAMES, FPS)(n).rotation, *Idle(FRAMES, FPS)(n).translation] for n in range(FRAMES)])
    step = np.abs(np.diff(way, axis=0))
    assert (step[[0, -1]] < 0.3 * step.max(axis=0)).all()
    back = Idle(FRAMES, FPS)(2 * FRAMES - 2 - 100)
    np.testing.assert_allclose(back.rotation, way[100, :3], atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_head_moves_less_than_a_speaker_and_is_never_frozen(seed):
    idle = Idle(FRAMES, FPS, seed)
    turns = np.degrees([idle(n).rotation for n in range(FRAMES)])
    assert (turns.std(axis=0) < 1.5).all()
    assert (np.ptp(turns.reshape(10, 50, 3), axis=1).max(axis=1) > 0.3).all()


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(60000, 1001)])
def test_blinks_come_as_often_as_people_blink_and_in_no_rhythm(fps):
    closure = np.array([Idle(FRAMES, fps)(n).lids for n in range(int(600 * fps))])
    apart = np.diff(begun(closure)) / float(fps)
    assert 17 < 60 / apart.mean() < 23
    assert apart.min() > 0.5
    assert apart.max() < 7
    assert apart.std() > 0.8


def test_every_blink_shuts_the_eyes():
    closure = lids(Idle(FRAMES, FPS))
    starts = begun(closure)
    deepest = np.array([closure[start : start + 8].max() for start in starts])
    assert (deepest > 0.8).all()
    assert (closure == 0).mean() > 0.85


def test_a_pose_is_turned_in_the_cameras_axes():
    motion = Motion(np.array([0.0, 0.1, 0.0]), np.array([1.0, 0.0, 0.0]), 0.0)
    rotation, translation = motion.moved(np.array([0.3, 0.0, 0.1]), np.array([0.0, 0.0, -60.0]))
    expected = rotation_matrix(motion.rotation) @ rotation_matrix(np.array([0.3, 0.0, 0.1]))
    np.testing.assert_allclose(rotation_matrix(rotation), expected, atol=1e-6)
    np.testing.assert_array_equal(translation, np.array([1.0, 0.0, -60.0], np.float32))
