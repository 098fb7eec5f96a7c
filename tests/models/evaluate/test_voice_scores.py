"""The yardstick of the voice network: what it says of predictions whose worth is known."""

from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
import torch

from models.audio_encoder import FEATURES, HOP, SAMPLE_RATE
from models.evaluate.curve_plot import draw_curves, means
from models.evaluate.silence_rows import LOOK_AHEADS, at_level, natural_stillness, noises, silence_rows
from models.evaluate.voice_baselines import AUDIODVP_DELAY, INPUTS, Baseline
from models.evaluate.voice_rows import VoiceRows, joined
from models.evaluate.voice_scores import Judged, Ruler
from models.expression_net import DIAL, ExpressionNet, Size
from models.face_model import FaceModel
from models.training.expression_data import Clip, Recording
from models.training.linear_path import DELAYS, shifted
from models.training.visemes import viseme_of

EIGHTY = DIAL.index(80)
ATNET_AHEAD = 17
"""Hops from the beginning of a frame to the end of what its features have heard, rounded down."""


@pytest.fixture(scope="module")
def ruler():
    return Ruler.of(FaceModel.tracked())


@pytest.fixture(scope="module")
def clip(ruler):
    """Twenty seconds of a mouth that swings about half open, and shuts for 100 ms each second, at a labelled P."""
    rng = np.random.default_rng(0)
    rows = 20 * 100 + 1
    time = np.arange(rows) / 100
    opening = 0.6 + 0.3 * np.sin(2 * np.pi * 2.3 * time) + 0.02 * rng.standard_normal(rows)
    shut = (np.arange(rows) % 100) < 10
    along = ruler.gap / (ruler.gap @ ruler.gap)
    face = (np.where(shut, 0.0, opening)[:, None] * along).astype(np.float32)
    labels = np.where(shut, viseme_of("P"), viseme_of("AA"))
    sound = (0.1 * rng.standard_normal((rows - 1) * HOP)).astype(np.float32)
    return Clip(Recording("a", "a", 0.0), sound, face, np.ones(rows, np.bool_), labels)


@pytest.fixture(scope="module")
def judged(clip, ruler):
    return Judged(clip, ruler)


@pytest.mark.parametrize("delay", DELAYS)
def test_the_person_scores_full_marks(judged, clip, delay):
    perfect = judged.agreement(shifted(clip.expression, delay), delay)
    assert (perfect.r, perfect.amplitude) == (pytest.approx(1.0), pytest.approx(1.0))
    assert perfect.lmd_percent == pytest.approx(0.0, abs=1e-4)
    assert perfect.closure == judged.real_closure() == 1.0


def test_half_the_motion_is_half_the_amplitude(judged, clip):
    half = judged.agreement(0.5 * shifted(clip.expression, 8), 8)
    assert half.r == pytest.approx(1.0)
    assert half.amplitude == pytest.approx(0.5)
    assert half.lmd_percent == pytest.approx(0.5 * judged.still_percent(), rel=0.02)


def test_a_mouth_that_never_shuts_closes_at_no_label(judged, clip):
    mean = np.tile(clip.expression.mean(0), (len(clip.expression) - 1, 1))
    still = judged.agreement(mean, 8)
    assert (still.r, still.closure) == (0.0, 0.0)
    assert still.lmd_percent == pytest.approx(judged.still_percent(), rel=0.02)


def test_speech_at_the_wrong_time_does_not_correlate(judged, clip):
    late = judged.agreement(np.roll(shifted(clip.expression, 8), 22, 0), 8)
    assert late.r < 0.2


def test_without_labels_there_is_no_closure(clip, ruler):
    unlabelled = replace(clip, visemes=np.full(len(clip.visemes), -1))
    assert np.isnan(Judged(unlabelled, ruler).agreement(shifted(clip.expression, 8), 8).closure)


@pytest.mark.parametrize(
    ("name", "delay"), [*product(("ridge", "affine"), DELAYS), ("audiodvp", AUDIODVP_DELAY - ATNET_AHEAD)]
)
def test_baselines_hear_nothing_of_the_future(name, delay):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((FEATURES, 120)).astype(np.float32)
    changed = features.copy()
    changed[:, 80:] += 1.0
    before, after = INPUTS[name](features, delay), INPUTS[name](changed, delay)
    assert len(before) == 120
    np.testing.assert_array_equal(before[:80], after[:80])
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("name", ["ridge", "affine"])
def test_a_baseline_learns_a_linear_face(clip, ruler, name):
    rng = np.random.default_rng(1)
    features = rng.standard_normal((FEATURES, 2000)).astype(np.float32)
    smooth = np.convolve(features[3], np.ones(8) / 8)[:2000]
    along = ruler.gap / (ruler.gap @ ruler.gap)
    face = np.concatenate([[0.0], smooth])[:, None] * along
    linear = replace(clip, expression=face.astype(np.float32), sound=clip.sound[: 2000 * HOP], valid=clip.valid[:2001])
    judged = Judged(linear, ruler)
    baseline = Baseline(name, DELAYS[EIGHTY])
    baseline.add(judged, np.roll(features, 0, 1), 1.0)
    said = baseline.say(baseline.learned(["a"]), features)
    assert judged.agreement(said, DELAYS[EIGHTY]).r > 0.6


def test_audiodvp_hears_seven_frames_around_the_one_shown():
    frames = np.repeat(np.arange(1, 21, dtype=np.float32), 4)[None]  # feature n + 1 in the four hops of frame n
    inputs = INPUTS["audiodvp"](frames, AUDIODVP_DELAY)
    assert inputs.shape == (80, 8)
    # Hop 69 shows the boundary of hop 40, with which frame 10 begins.
    np.testing.assert_array_equal(inputs[69], [8, 9, 10, 11, 12, 13, 14, 1])
    np.testing.assert_array_equal(inputs[29], [0, 0, 0, 1, 2, 3, 4, 1])


def test_strangers_are_judged_by_networks_that_never_met_them(clip):
    rows = VoiceRows([clip], [])
    assert rows.net_for(clip) is None
    assert list(rows.strangers()) == []


def test_clips_are_joined_on_one_clock(clip):
    sound, face, valid = joined([clip, clip])
    assert len(face) == len(valid) == len(sound) // HOP == 4000


def test_silence_of_a_still_network_is_still(ruler, clip):
    net = ExpressionNet(Size(48, members=1, channels=4)).eval()
    sounds = {"silence": np.zeros(2 * SAMPLE_RATE, np.float32)}
    found = list(silence_rows(net, ruler, sounds, clip.sound[:8000], natural_stillness([clip], ruler)))
    assert {(row["noise"], row["look_ahead_ms"]) for row in found} == {
        (name, ms) for name in ("silence", "silence after speech") for ms in LOOK_AHEADS
    }
    assert all(row["lip_speed"] == row["false_openings_per_min"] == 0 and row["natural"] > 0 for row in found)


def test_a_mouth_that_opens_once_is_counted_once(ruler):
    class Once(ExpressionNet):
        def step(self, samples, state, look_ahead):
            out = torch.zeros(samples.shape[1] // HOP, 48)
            out[50:60] = torch.from_numpy(0.3 * ruler.gap / (ruler.gap @ ruler.gap)).float()
            return out, state

    net = Once(Size(48, members=1, channels=4))
    minute = {"silence": np.zeros(60 * SAMPLE_RATE, np.float32)}
    row = next(iter(silence_rows(net, ruler, minute, np.zeros(0, np.float32), 1.0)))
    assert row["false_openings_per_min"] == pytest.approx(1.0)


def test_noises_have_their_level():
    for name, sound in noises().items():
        if name != "silence":
            assert 20 * np.log10(np.sqrt((sound.astype(float) ** 2).mean())) == pytest.approx(-30.0, abs=0.1)
    assert not at_level(np.zeros(10)).any()


def test_the_plot_shows_means(tmp_path):
    rows = [{"model": "ridge", "look_ahead_ms": 80, "r": r, "amplitude": 1.0} for r in (0.2, 0.4)]
    assert means(rows, "r")["ridge"][80] == pytest.approx(0.3)
    draw_curves({"own": rows, "stranger": rows}, tmp_path / "curve.png")
    assert cv2.imread(str(tmp_path / "curve.png")).shape == (572, 880, 3)
