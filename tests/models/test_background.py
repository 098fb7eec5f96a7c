"""The clip behind the puppet: right frame, any order, bounded memory."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.background import GROUP, Background, bounce, write_background
from models.errors import PuppetError

FRAMES = 40
STEP = 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FRAMES plain grey frames; frame i has the value STEP*i."""
    path = tmp_path_factory.mktemp("background") / "background.mp4"
    pictures = (np.full((48, 64, 3), STEP * i, np.uint8) for i in range(FRAMES))
    write_background(path, pictures, Fraction(30000, 1001))
    return path


def shown(background: Background, n: int) -> int:
    return round(float(background.frame(n).mean()) / STEP)


@given(st.integers(0, 10_000), st.integers(2, 200))
def test_bounce_moves_by_one_frame_and_never_leaves_the_clip(n: int, frames: int):
    assert 0 <= bounce(n, frames) < frames
    assert abs(bounce(n + 1, frames) - bounce(n, frames)) == 1
    assert bounce(n, 1) == 0


def test_plays_forward_and_back(clip: Path):
    background = Background(clip, FRAMES)
    assert [shown(background, n) for n in range(4 * FRAMES)] == [bounce(n, FRAMES) for n in range(4 * FRAMES)]
    background.close()


@given(order=st.lists(st.integers(0, 300), min_size=1, max_size=12))
def test_any_order(clip: Path, order: list[int]):
    background = Background(clip, FRAMES)
    assert [shown(background, n) for n in order] == [bounce(n, FRAMES) for n in order]
    background.close()


def test_keeps_at_most_two_groups(clip: Path):
    background = Background(clip, FRAMES)
    for n in range(3 * FRAMES):
        background.frame(n)
        assert sum(len(group) for group in background._groups.values()) <= 2 * GROUP


def test_a_clip_that_is_too_short_is_named(clip: Path):
    with pytest.raises(PuppetError, match=r"background\.mp4 ends before frame 40"):
        Background(clip, FRAMES + 3).frame(FRAMES + 1)


@pytest.mark.parametrize("pace", [Fraction(1, 2), Fraction(5, 6), Fraction(6, 5), Fraction(2), Fraction(12, 5)])
def test_plays_at_any_pace_without_a_second_look_at_a_group(clip: Path, pace: Fraction, monkeypatch):
    background = Background(clip, FRAMES)
    sought: list[int] = []
    decode = Background._decode
    monkeypatch.setattr(Background, "_decode", lambda self, group: sought.append(group) or decode(self, group))
    numbers = [int(k * pace) for k in range(int(4 * FRAMES / pace))]
    assert [shown(background, n) for n in numbers] == [bounce(n, FRAMES) for n in numbers]
    assert all(one != other for one, other in pairwise(sought))
    assert len(sought) <= 2 + 4 * FRAMES / GROUP
