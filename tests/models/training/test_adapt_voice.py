"""Adapting the voice network to a person: size, sync, correction, and the way back when it does not help."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from models.audio_encoder import HOP, SAMPLE_RATE
from models.expression_net import DIAL, ExpressionNet, Size
from models.face_model import FaceModel
from models.training.adapt_voice import adapt
from models.training.linear_path import DELAYS, hear
from models.training.lip_metric import LipMetric, transfer
from models.training.lip_sync import LOOK_AHEAD

FPS = Fraction(25)
SECONDS = 16
EIGHTY = DIAL.index(80)


@pytest.fixture(scope="module")
def face():
    return FaceModel.tracked()


@pytest.fixture(scope="module")
def net(face):
    """Random, but with the scales of a trained one."""
    torch.manual_seed(3)
    net = ExpressionNet(Size(len(face.expression), components=4, channels=8, members=1))
    metric = LipMetric.of(face)
    with torch.no_grad():
        net.decode[:, :8] = torch.randn(4, 8) * torch.from_numpy(face.expression_scale[:8]) * 2
        net.gap.copy_(net.decode @ torch.from_numpy(metric.gap).float())
        net.part.copy_(net.gap / net.gap.square().sum())
        net.gate.verdict.bias.fill_(9.0)
    return net.eval()


@pytest.fixture(scope="module")
def sound():
    """Syllables with wandering loudness and colour, and two pauses."""
    rng = np.random.default_rng(2)
    count = SECONDS * 100
    slow = np.stack([np.convolve(rng.standard_normal(count + 14), np.hanning(15) / 3, "valid") for _ in range(3)], 1)
    time = np.arange(count * HOP) / SAMPLE_RATE
    bands = [
        sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(*edges)) for edges in ((1, 6), (6, 15), (15, 50))
    ]
    louder = np.repeat(np.exp(slow), HOP, axis=0) * [0.1, 0.2, 0.3]
    speaks = (np.abs(time - 5) > 0.5) & (np.abs(time - 11) > 0.5)
    return (np.stack(bands, 1) * louder).sum(1).astype(np.float32) * speaks


def person(net, sound, size=1.0, late=0.0, noise=0.3, seed=0, row=EIGHTY):
    """Expressions [N, K] of somebody whose lips follow the network, more or less."""
    rng = np.random.default_rng(seed)
    components = hear(net, sound).components[row].T
    hop = (np.arange(SECONDS * 25) / 25 - late) * 100 + DELAYS[row] - 1
    at = np.stack([np.interp(hop, np.arange(len(components)), column) for column in components.T], 1)
    spread = components.std(0)
    return (size * (at + noise * spread * rng.standard_normal(at.shape)) @ net.decode.numpy()).astype(np.float32)


def opening(adaptation, face, sound):
    rows, _ = adaptation.net.step(torch.from_numpy(sound)[None], adaptation.net.initial_state(), EIGHTY)
    return adaptation.voice(rows.numpy()) @ LipMetric.of(face).gap


def adapted(net, face, sound, expression):
    return adapt(net, face, face, sound, expression, np.ones(len(expression), np.bool_), FPS)


@pytest.mark.parametrize("size", [0.4, 1.0, 2.5])
def test_the_size_of_the_motion_is_the_persons(net, face, sound, size):
    expression = person(net, sound, size)
    result = adapted(net, face, sound, expression)
    truth = expression @ LipMetric.of(face).gap
    assert opening(result, face, sound)[50:].std() / truth.std() == pytest.approx(0.88, abs=0.2)
    assert result.personal[80].amplitude == pytest.approx(0.88, abs=0.15)


@pytest.mark.parametrize("late", [-0.12, 0.0, 0.08])
def test_sound_that_lies_beside_the_picture_is_found(net, face, sound, late):
    result = adapted(net, face, sound, person(net, sound, late=late, row=LOOK_AHEAD))
    assert result.mouth_late_ms == pytest.approx(1000 * late, abs=21)


def test_a_person_with_other_habits_is_learned(net, face, sound):
    torch.manual_seed(4)
    other = ExpressionNet(net.size).eval()
    other.decode.copy_(net.decode)
    with torch.no_grad():
        other.head.weight.copy_(net.head.weight)
        other.gate.verdict.bias.fill_(9.0)
        other.linear.taps.weight.copy_(
            net.linear.taps.weight + 1.5 * net.linear.taps.weight.std() * torch.randn_like(net.linear.taps.weight)
        )
    result = adapted(net, face, sound, person(other, sound, noise=0.1))
    assert result.adapted


def test_noise_is_not_learned(net, face, sound):
    rng = np.random.default_rng(0)
    expression = (rng.standard_normal((SECONDS * 25, 4)) @ net.decode.numpy()).astype(np.float32)
    result = adapted(net, face, sound, expression)
    assert result.mouth_late_ms == 0
    assert result.personal[80].amplitude <= 1.0


def test_silence_is_the_persons_own_rest(net, face, sound):
    expression = person(net, sound) + 0.05
    result = adapted(net, face, sound, expression)
    quiet = opening(result, face, np.zeros(SAMPLE_RATE, np.float32))
    truth = expression @ LipMetric.of(face).gap
    assert np.ptp(quiet) < 1e-9
    assert quiet[0] == pytest.approx(np.quantile(truth, 0.04), abs=0.5 * truth.std())


def test_the_universal_network_is_left_alone(net, face, sound):
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    adapted(net, face, sound, person(net, sound))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_bad_frames_do_not_count(net, face, sound):
    expression = person(net, sound)
    valid = np.ones(len(expression), np.bool_)
    valid[40:60] = False
    spoilt = expression.copy()
    spoilt[40:60] = 5.0
    good = adapt(net, face, face, sound, expression, valid, FPS)
    same = adapt(net, face, face, sound, spoilt, valid, FPS)
    assert good.personal[80].r == pytest.approx(same.personal[80].r)
    np.testing.assert_allclose(good.voice.offset, same.voice.offset)


def test_the_same_model_needs_no_transfer(face):
    assert np.array_equal(transfer(face, face), np.eye(len(face.expression)))


def test_transfer_to_another_basis_moves_the_same_points(face):
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.standard_normal((len(face.expression),) * 2))
    other = replace(face, expression=np.einsum("pk,kvc->pvc", turned, face.expression).astype(np.float32))
    matrix = transfer(face, other)
    points = face.landmarks[:, 1]
    wanted = face.expression[:8, points]
    found = np.einsum("pk,pvc->kvc", matrix, other.expression)[:8, points]
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
