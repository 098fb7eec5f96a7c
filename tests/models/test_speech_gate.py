"""The gate that ships: open in speech, shut in noise, knocks and silence."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from models.audio_encoder import SAMPLE_RATE
from models.evaluate.silence_rows import OPEN, at_level
from models.evaluate.voice_scores import Ruler
from models.expression_net import DIAL, ExpressionNet
from models.face_model import FaceModel
from models.speech_gate import SpeechGate
from models.training.expression_sounds import coloured_noise, knocks
from models.training.gate_sounds import band, beeps, clatter, drums, instruments
from models.training.held_voices import held_voice
from models.training.linear_path import hear
from models.video import read_sound

MOST_OPENINGS = 25
"""A minute; a gate that has met few kinds of sounds lets each of these open the mouth 50 to 130 times."""
HELLO = Path(__file__).parents[2] / "models/bundled/hello.wav"


@pytest.fixture(scope="module")
def net():
    return ExpressionNet.universal()


@pytest.fixture(scope="module")
def speech():
    return read_sound(HELLO)[: 6 * SAMPLE_RATE]


def test_pieces_give_the_same_verdict():
    torch.manual_seed(0)
    gate = SpeechGate(len(DIAL)).eval()
    x = torch.randn(1, 33, 90)
    whole, _ = gate(x, gate.initial_state(1))
    state, pieces = gate.initial_state(1), []
    for start in range(0, 90, 7):
        piece, state = gate(x[:, :, start : start + 7], state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, 3), whole, rtol=0, atol=1e-6)
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_open_in_speech(net, speech):
    heard = hear(net, speech)
    assert heard.gate[DIAL.index(80)][heard.loud].mean() > 0.95


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("decibels", [-70, -55, -40])
def test_noise_and_knocks_keep_the_mouth_at_rest(net, speech, decibels, before):
    rng = np.random.default_rng(11)
    count = 6 * SAMPLE_RATE
    for sound in (coloured_noise(count, rng), knocks(count, rng) + 1e-3 * coloured_noise(count, rng)):
        noise = (sound * 10 ** (decibels / 20)).astype(np.float32)
        stream = np.concatenate([speech, noise]) if before else noise
        rows, _ = net.step(torch.from_numpy(stream)[None], net.initial_state(), DIAL.index(80))
        spoken, _ = net.step(torch.from_numpy(speech)[None], net.initial_state(), DIAL.index(80))
        quiet = rows[-400:].abs().sum(1)
        assert (quiet > 0.3 * spoken.abs().sum(1).median()).float().mean() < 0.1


@pytest.mark.parametrize("kind", [instruments, drums, band, clatter, beeps])
def test_music_and_clatter_leave_the_mouth_shut(net, kind):
    """Six of ten seconds each, unlike those of the training, at the beginning of a stream; look-ahead 80 ms."""
    gap, openings = Ruler.of(FaceModel.tracked()).gap, 0
    for seed in range(1000, 1006):
        sound = at_level(kind(10 * SAMPLE_RATE, np.random.default_rng(seed)))[: 10 * SAMPLE_RATE]
        rows, _ = net.step(torch.from_numpy(sound)[None], net.initial_state(), DIAL.index(80))
        opened = (rows.numpy() @ gap > OPEN).astype(int)
        openings += int((np.diff(opened, prepend=0) == 1).sum())
    assert openings <= MOST_OPENINGS


def test_held_and_sung_vowels_stay_open(net):
    """As long as they sound; a gate that never met any leaves them open for less than a third of the time."""
    shares = []
    for seed in range(1000, 1012):
        sound = at_level(held_voice(4 * SAMPLE_RATE, np.random.default_rng(seed)))
        heard = hear(net, sound[: 4 * SAMPLE_RATE])
        shares.append(heard.gate[DIAL.index(80)][8:][heard.loud[:-8]].mean())
    assert np.mean(shares) > 0.85


def test_speech_that_begins_with_the_stream_is_heard_at_once(net, speech):
    """From a moment on at which somebody is speaking."""
    heard = hear(net, speech[SAMPLE_RATE:])
    assert heard.gate[DIAL.index(80)][20:60][heard.loud[20:60]].mean() > 0.8


@pytest.mark.parametrize("decibels", [-25, -30])
def test_quiet_voices_after_a_near_one_are_not_meant(net, speech, decibels):
    quiet = speech * 10 ** (decibels / 20)
    stream = torch.from_numpy(np.concatenate([speech, np.zeros(SAMPLE_RATE // 2, np.float32), quiet]))[None]
    rows, _ = net.step(stream, net.initial_state(), DIAL.index(80))
    near, far = (rows[at : at + 5 * SAMPLE_RATE // 160].abs().sum(1) for at in (50, len(rows) - 5 * SAMPLE_RATE // 160))
    assert (far > 0.3 * near.median()).float().mean() < 0.2


def test_silence_is_rest(net):
    rows, _ = net.step(torch.zeros(1, 2 * SAMPLE_RATE), net.initial_state(), 2)
    assert not rows.any()


@pytest.mark.parametrize("index", [0, 2, 3])
def test_the_first_syllable_is_not_cut_off(net, speech, index):
    """Against the same network with its gate held open, after two seconds of a quiet room."""
    always = copy.deepcopy(net)
    with torch.no_grad():
        always.gate.verdict.weight.zero_()
        always.gate.verdict.bias.fill_(20.0)
    room = 1e-3 * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE)
    stream = torch.from_numpy(np.concatenate([room, speech]).astype(np.float32))[None]
    begins = []
    for version in (net, always):
        moved = version.step(stream, version.initial_state(), index)[0].abs().sum(1)[200:]
        begins.append(int((moved > 0.25 * moved.median()).int().argmax()))
    assert begins[0] - begins[1] <= 10
