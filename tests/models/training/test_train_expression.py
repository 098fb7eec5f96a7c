"""Training the voice network: clocks, the linear path, folding, and a small run that learns."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from models.audio_encoder import FEATURES, HOP, SAMPLE_RATE, AudioEncoder
from models.expression_net import DIAL, ExpressionNet, Size
from models.face_model import FaceModel
from models.training.expression_config import Config
from models.training.expression_data import Clip, Recording, on_sound_clock
from models.training.expression_ensemble import Ensemble
from models.training.linear_path import DELAYS, Regression, amplify, as_taps, hear, shifted, windows
from models.training.lip_basis import find_basis, person_weights
from models.training.lip_metric import LipMetric
from models.training.train_expression import Trainer
from models.training.train_gate import train_gate
from models.training.voice_corpus import CorpusWriter, stored_powers

FACE = FaceModel.tracked()
METRIC = LipMetric.of(FACE)
K = len(METRIC.gap)


def talk(seconds, seed):
    """A sound whose loudness and colour wander, and a face that follows them."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 100)
    slow = np.stack([np.convolve(rng.standard_normal(count + 20), np.hanning(21) / 4, "valid") for _ in range(2)], 1)
    loudness = np.repeat(np.exp(slow[:count, 0]), HOP)
    time = np.arange(count * HOP) / SAMPLE_RATE
    dull = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 8))
    bright = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(8, 40))
    colour = np.repeat(1 / (1 + np.exp(-3 * slow[:count, 1])), HOP)
    sound = 0.05 * loudness * (dull * (1 - colour) + 4 * bright * colour)
    face = 0.1 * slow[:count] @ np.eye(2, K) + 0.003 * rng.standard_normal((count, K))
    return sound.astype(np.float32), face.astype(np.float32)


def clip_of(stem, person, seconds=8.0, seed=0):
    sound, face = talk(seconds, seed)
    rows = np.concatenate([face[:1], face])
    return Clip(Recording(stem, person, 0.0), sound, rows, np.ones(len(rows), np.bool_), np.zeros(len(rows), np.int64))


def test_expressions_come_to_the_clock_of_the_sound():
    ramp = np.repeat(np.arange(50, dtype=np.float32)[:, None], 2, 1) / 25  # the value is the time
    sound = np.zeros(2 * SAMPLE_RATE, np.float32)
    clip = on_sound_clock(Recording("a", "a", 0.1), sound, ramp, np.ones(50, np.bool_), Fraction(25))
    at = 60  # boundary of hops at 0.6 s: the mouth shows it 0.1 s later
    assert clip.expression[at] == pytest.approx(0.7, abs=1e-5)
    assert len(clip.expression) == len(clip.sound) // HOP + 1
    assert not clip.valid[-1]
    assert clip.valid[at]


def test_a_bad_frame_spoils_only_its_neighbourhood():
    valid = np.ones(50, np.bool_)
    valid[25] = False
    clip = on_sound_clock(
        Recording("a", "a", 0.0),
        np.zeros(2 * SAMPLE_RATE, np.float32),
        np.zeros((50, 2), np.float32),
        valid,
        Fraction(25),
    )
    bad = np.flatnonzero(~clip.valid[:190]) / 100
    assert bad.min() == pytest.approx(0.96, abs=0.011)
    assert bad.max() == pytest.approx(1.03, abs=0.011)


def test_regression_weights_are_the_taps_of_the_network():
    rng = np.random.default_rng(0)
    size = Size(K, components=3, channels=4, members=1)
    net = ExpressionNet(size)
    features = rng.standard_normal((FEATURES, 120)).astype(np.float32)
    for index, delay in enumerate(DELAYS):
        rows = windows(features, delay, size.past)
        weights = rng.standard_normal((rows.shape[1], 3))
        with torch.no_grad():
            net.head.weight.zero_()
            net.linear.taps.weight.zero_()
            net.linear.taps.weight[3 * index : 3 * index + 3] = torch.from_numpy(as_taps(weights, size))
            out, _, _ = net.components(torch.from_numpy(features)[None], net.initial_state())
        np.testing.assert_allclose(out[0, index].T, rows @ weights, atol=1e-3)


def test_regressions_add_up():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    whole, part, rest = Regression(), Regression(), Regression()
    whole.add(x, y, 50.0)
    part.add(x[:20], y[:20], 20.0)
    rest.add(x[20:], y[20:], 30.0)
    np.testing.assert_allclose(whole.without(part).solve(0.1), rest.solve(0.1))
    np.testing.assert_allclose(whole.solve(0.0), np.linalg.lstsq(x, y)[0])


def test_shifted_rows_are_what_a_hop_shows():
    values = np.arange(11)
    assert shifted(values, 0).tolist() == list(range(1, 11))
    assert shifted(values, 4).tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]


def test_amplify_enlarges_speech_and_leaves_silence():
    torch.manual_seed(0)
    net = ExpressionNet(Size(K, components=3, channels=8, members=1))
    sound, _ = talk(6.0, 1)
    heard = hear(net, sound)
    before, loud = heard.components, heard.features[-1] > 2.9
    amplify(net, np.full(len(DIAL), 2.0), heard.speech_mean(), heard.speech_mean())
    after = hear(net, sound).components
    loud[:60] = False
    np.testing.assert_allclose(after[:, :, loud].std(2), 2 * before[:, :, loud].std(2), rtol=0.2)
    np.testing.assert_allclose(after[:, :, loud].mean(2), before[:, :, loud].mean(2), atol=0.1 * np.abs(before).max())
    assert not hear(net, np.zeros(SAMPLE_RATE, np.float32)).components.any()


def test_folded_network_is_the_average_of_its_members_and_ridge():
    torch.manual_seed(0)
    size = Size(K, components=3, channels=4, members=3)
    net, ensemble = ExpressionNet(size), Ensemble(size, 2, 0.0).eval()
    with torch.no_grad():
        ensemble.linear.copy_(0.01 * torch.randn_like(ensemble.linear))
    ridge = torch.randn_like(net.linear.taps.weight) * 0.01
    ensemble.fold(1, net, ridge, 0.25)
    features = torch.randn(1, FEATURES, 90)
    with torch.no_grad():
        folded, _, _ = net.components(features, net.initial_state())
        members = ensemble(features, ())["lips"][1].mean(0)[:, :, 0]
        net.linear.taps.weight.copy_(ridge)
        net.head.weight.zero_()
        linear, _, _ = net.components(features, net.initial_state())
    torch.testing.assert_close(folded[0], 0.75 * members + 0.25 * linear[0], atol=1e-4, rtol=0)


def test_components_keep_lip_distances_and_point_at_rest():
    clips = [clip_of("a", "a", seed=0), clip_of("b", "b", seed=1)]
    basis = find_basis(clips, METRIC, K, person_weights(clips, 1.0))
    rows = clips[0].expression - np.median(clips[0].expression, 0)
    scores = rows @ basis.encode
    np.testing.assert_allclose((scores**2).sum(1), np.einsum("nk,kl,nl->n", rows, METRIC.form, rows), rtol=1e-3)
    np.testing.assert_allclose(scores @ basis.decode, rows, atol=1e-5)
    assert basis.rest @ basis.gap < 0
    assert basis.part @ basis.gap == pytest.approx(1.0)


def test_people_count_alike():
    clips = [clip_of("a", "a", 8.0), clip_of("b", "a", 4.0), clip_of("c", "c", 4.0), clip_of("d", "d", 1.0)]
    weights = person_weights(clips, least_seconds=2.0)
    assert weights["a"] + weights["b"] == pytest.approx(1.0)
    assert weights["a"] == pytest.approx(2 * weights["b"], rel=0.01)
    assert weights["c"] == pytest.approx(1.0)
    assert weights["d"] == pytest.approx(0.5, rel=0.02)


@pytest.fixture(scope="module")
def small():
    writer, encoder = CorpusWriter(), AudioEncoder()
    for seed, name in enumerate("abc"):
        clip = clip_of(name, name, seed=seed)
        targets = {"face": (clip.expression, clip.valid)}
        writer.add((name, name, "people", 1.0), [stored_powers(clip.sound, encoder)], targets)
    voice = clip_of("voice", "voice", seed=5)
    writer.add(("voice", "voice", "voices", 1.0), [stored_powers(voice.sound, encoder)], {})
    noise = 0.01 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE).astype(np.float32)
    writer.add(("noise", "nobody", "noise", 1.0), [stored_powers(noise, encoder)], {})
    config = Config(
        steps=12,
        batch=4,
        hops=150,
        gate_steps=3,
        gate_noises=6,
        gate_hops=150,
        members=1,
        channels=8,
        gain=(1.0,) * 5,
        least_seconds=1.0,
        ridge_share=0.8,
    )
    return writer.corpus(), config


def trained(corpus, config, left_out):
    trainer = Trainer(corpus, left_out, FACE, config)
    gate = train_gate(trainer.batches, config, "cpu").state_dict()
    return [trainer.finished(i, ensemble, gate) for ensemble in [trainer.train()] for i in range(len(left_out))]


def test_a_small_run_learns_what_the_sound_tells(small):
    net = trained(*small, [[]])[0]
    torch.nn.init.zeros_(net.gate.verdict.weight)
    torch.nn.init.constant_(net.gate.verdict.bias, 20.0)
    unheard = clip_of("d", "d", seed=9)
    said = net.step(torch.from_numpy(unheard.sound)[None], net.initial_state(), DIAL.index(80))[0].numpy()
    true = shifted(unheard.expression, 8)
    assert np.corrcoef(said[50:] @ METRIC.gap, true[50:] @ METRIC.gap)[0, 1] > 0.5


def test_the_same_seed_gives_the_same_network(small):
    corpus, config = small
    once, again = trained(corpus, config, [[]])[0], trained(corpus, config, [[]])[0]
    other = trained(corpus, replace(config, seed=2), [[]])[0]
    assert torch.equal(once.head.weight, again.head.weight)
    assert not torch.equal(once.head.weight, other.head.weight)


def test_who_is_left_out_leaves_no_trace(small):
    corpus, config = small
    _, without = trained(corpus, config, [[], ["c"]])
    rows = next(corpus.rows(sound) for sound in corpus.sounds if sound.name == "c")
    other = replace(corpus, targets=corpus.targets | {"face": corpus.targets["face"].copy()})
    other.targets["face"][rows] *= np.linspace(-3, 3, K)
    _, again = trained(other, config, [[], ["c"]])
    for name, weight in without.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
