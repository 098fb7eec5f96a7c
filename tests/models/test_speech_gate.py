"""The gate that ships: open in speech, shut in noise, knocks and silence."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from models.audio_encoder import SAMPLE_RATE
from models.expression_net import DIAL, ExpressionNet
from models.speech_gate import SpeechGate
from models.training.expression_sounds import coloured_noise, knocks
from models.training.linear_path import hear
from models.video import read_sound

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
