"""The curve from predicted to shown opening: distributions match, order stays, closed is closed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.expression_net import BENDS, ExpressionNet, Size
from models.training.opening_curve import GOALS, SHARES, STEEPEST, Curve

RNG = np.random.default_rng(0)
HEDGED = RNG.normal(1.0, 0.2, 4000).clip(0)
MOUTH = np.concatenate([np.zeros(600), RNG.gamma(2.0, 0.5, 3400)])


def test_distributions_match_where_the_mouth_is_usual():
    hedged = RNG.normal(1.5, 0.5, 4000).clip(0)
    shown = Curve.between(hedged, MOUTH, widest=1.0)(hedged)
    for share, goal in zip(SHARES, GOALS, strict=True):
        if 0.1 < share < 0.8:
            assert np.quantile(shown, share) == pytest.approx(np.quantile(MOUTH, goal), abs=0.25)
    assert (shown < 0.1).mean() > (MOUTH < 0.1).mean(), "a hedging prediction must close rather too often"


def test_wide_openings_are_held_back():
    tame, wild = (Curve.between(HEDGED, MOUTH, widest)(HEDGED) for widest in (0.5, 1.0))
    assert np.quantile(tame, 0.95) < np.quantile(wild, 0.95)
    assert np.quantile(tame, 0.3) == pytest.approx(np.quantile(wild, 0.3))


openings = st.lists(st.floats(-1.0, 5.0, allow_subnormal=False), min_size=3, max_size=50)


@given(openings, openings)
def test_rises_from_zero_and_never_steeply(predicted, true):
    curve = Curve.between(np.array(predicted), np.array(true), widest=0.8)
    at = np.linspace(-1.0, 6.0, 200)
    shown = curve(at)
    assert len(curve.bends) == len(curve.slopes) == BENDS
    assert (shown[at <= 0] == 0).all()
    steps = np.diff(shown) / np.diff(at)
    assert steps.min() > -1e-6
    assert steps.max() < STEEPEST + 1e-6


def test_the_network_draws_the_same_curve():
    torch.manual_seed(0)
    net = ExpressionNet(Size(4, components=2, channels=4, members=1)).eval()
    curve = Curve.between(HEDGED, MOUTH, 0.8)
    with torch.no_grad():
        net.decode.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]))
        net.gap.copy_(torch.tensor([1.0, 0.0]))
        net.part.copy_(torch.tensor([1.0, 0.0]))
        net.gate.verdict.bias.fill_(9.0)
        net.linear.taps.weight.mul_(3.0)
        sound = torch.randn(1, 160 * 100) * 0.1
        features, _ = net.encoder(sound, net.encoder.initial_state())
        plain = net.components(features, net.initial_state())[0][0, 2, 0].numpy()
        net.bends.copy_(torch.from_numpy(curve.bends))
        net.slopes.copy_(torch.from_numpy(curve.slopes))
        rows, _ = net.step(sound, net.initial_state(), 2)
    np.testing.assert_allclose(rows[:, 0].numpy(), curve(plain), atol=1e-4)
