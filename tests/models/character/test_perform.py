import dataclasses

import numpy as np
import pytest

from models.character.controls import Controls
from models.character.perform import FPS, act, blinks, glances, pendulum
from models.character.speech import Phone, Speech

RATE = 22_050


def speech(*sounds: str) -> Speech:
    phones = tuple(Phone(ipa, 0.2 * n, 0.2 * n + 0.2) for n, ipa in enumerate(sounds))
    noise = np.random.default_rng(1).normal(0, 0.1, round(0.2 * len(sounds) * RATE))
    return Speech(noise.astype(np.float32), RATE, phones)


def test_sound_and_picture_have_the_same_length() -> None:
    show = act([(speech("m", "a", "p"), 1.0), (speech("u"), 1.5)], seed=3)
    assert len(show.samples) == len(show.frames) * RATE // FPS


def test_the_same_seed_gives_the_same_performance() -> None:
    takes = [(speech("o", "l", "a"), 1.0)]
    assert act(takes, seed=3).frames == act(takes, seed=3).frames
    assert act(takes, seed=3).frames != act(takes, seed=4).frames


def test_the_mouth_follows_the_sound_to_the_frame() -> None:
    show = act([(speech("m", "ɑː", "m"), 1.0)], seed=3, opening=1.0)
    jaw = [c.jaw for c in show.frames]
    assert abs((np.argmax(jaw) + 0.5) / FPS - 1.3) <= 0.5 / FPS + 0.015


def test_every_control_stays_in_its_range() -> None:
    show = act([(speech(*"mamopubifu"), 1.6)], seed=3)
    table = np.array([dataclasses.astuple(c) for c in show.frames])
    names = [field.name for field in dataclasses.fields(Controls)]
    low, high = dict(zip(names, table.min(0), strict=True)), dict(zip(names, table.max(0), strict=True))
    for name in ("jaw", "pucker", "funnel", "press", "tuck", "smile", "blink", "squint", "brow_up"):
        assert low[name] >= 0, name
        assert high[name] <= 1, name
    for name, degrees in (("yaw", 14), ("pitch", 12), ("roll", 9)):
        assert max(-low[name], high[name]) < np.radians(degrees), name


@pytest.mark.parametrize("seed", range(3))
def test_blinks_come_every_two_to_five_seconds(seed: int) -> None:
    times = (np.arange(60 * FPS) + 0.5) / FPS
    shut = blinks(times, np.random.default_rng(seed)) > 0.8
    starts = times[1:][shut[1:] & ~shut[:-1]]
    assert np.all((np.diff(starts) > 1.9) & (np.diff(starts) < 5.1))


def test_glances_and_horns_are_bounded() -> None:
    times = np.arange(0, 60, 1 / FPS)
    x, y = glances(times, np.random.default_rng(0))
    assert np.abs(x).max() < 0.6
    assert np.abs(y).max() < 0.4
    assert np.abs(pendulum(0.1 * np.sin(times * 3))).max() < 0.6
