"""First syllables: where they begin, and how late a mouth that follows them is found to be."""

import numpy as np
import pytest
import torch

from models.audio_encoder import HOP, SAMPLE_RATE
from models.evaluate.onset_rows import first_syllables, onset_rows
from models.evaluate.voice_scores import Ruler
from models.expression_net import DIAL, ExpressionNet, Size

BEGINS = (1.0, 4.0)


@pytest.fixture
def sound():
    """Two phrases of noise, and one too soon after the second to be a first syllable."""
    rng, time = np.random.default_rng(0), np.arange(7 * SAMPLE_RATE) / SAMPLE_RATE
    speaks = ((time > 1) & (time < 2.5)) | ((time > 4) & (time < 4.6)) | ((time > 4.7) & (time < 6.5))
    return (rng.standard_normal(len(time)) * np.where(speaks, 0.1, 1e-4)).astype(np.float32)


class Follows(ExpressionNet):
    """A mouth as wide as the sound was loud so many hops ago."""

    def __init__(self, hops):
        super().__init__(Size(1, components=1, channels=1, members=1))
        self.hops = hops

    def step(self, samples, state, look_ahead):
        loud = samples.reshape(-1, HOP).square().mean(1)
        late = self.hops + DIAL[look_ahead] // 10
        return torch.nn.functional.pad(loud, (late, 0))[: len(loud), None], state


def test_first_syllables_follow_a_pause(sound):
    found = first_syllables(sound)
    assert len(found) == len(BEGINS)
    for (part, at), begins in zip(found, BEGINS, strict=True):
        start = int(begins * SAMPLE_RATE)
        np.testing.assert_array_equal(part[at * HOP :], sound[start:][: len(part) - at * HOP])


@pytest.mark.parametrize("hops", [0, 5, 9])
def test_the_delay_of_a_mouth_is_found(sound, hops):
    ruler = Ruler(np.ones(1), np.ones(1), np.ones((1, 2), np.float32))
    rows = list(onset_rows(Follows(hops), ruler, [sound]))
    assert len(rows) == 9
    for row in rows:
        assert row["syllables"] == len(BEGINS)
        assert row["late_ms"] == pytest.approx(10 * hops, abs=1e-9)
        assert row["too_late"] == (hops > 6)


def test_no_pause_no_row():
    steady = np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE).astype(np.float32)
    assert not list(onset_rows(Follows(0), Ruler(np.ones(1), np.ones(1), np.ones((1, 2), np.float32)), [steady]))
