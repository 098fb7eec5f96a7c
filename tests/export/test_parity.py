"""The gate: what differs too much, drifts, or has another form does not pass, and the figures say so."""

import numpy as np
import pytest

from export import parity
from export.engine import EngineError, Recipe


class Stream:
    """A network with a state whose output is off by `error(step)`."""

    def __init__(self, error):
        self._error = error

    def initial_state(self):
        return {"state.n": np.zeros(1, np.float32)}

    def __call__(self, feed):
        n = feed["state.n"]
        return {"expression": feed["x"] + self._error(n[0]), "next_state.n": n + 1}


FEEDS = [{"x": np.full((1, 2), np.float32(np.cos(n)))} for n in range(100)]
EXACT = list(parity.run(Stream(lambda n: np.float32(0)), FEEDS))


def pictures(level, alpha=255):
    return {"rgb": np.full((1, 8, 8, 3), level, np.uint8), "alpha": np.full((1, 8, 8, 1), alpha, np.uint8)}


class Paints:
    def __init__(self, *given):
        self._given = iter(given)

    def initial_state(self):
        return {}

    def __call__(self, feed):
        return next(self._given)


def test_the_same_passes():
    figures = parity.compare(EXACT, Stream(lambda n: np.float32(0)), FEEDS)
    assert (figures.frames, figures.absolute, figures.drift) == (100, 0, 0)
    parity.check(Recipe("torch"), figures)


def test_error_is_relative_to_the_greatest_value():
    figures = parity.compare(EXACT, Stream(lambda n: np.float32(0.01)), FEEDS)
    assert figures.relative == pytest.approx(0.01, rel=1e-3)
    with pytest.raises(EngineError, match=r"torch fp32 is refused.* relative error 0.01, at most 0.002 wanted in fp32"):
        parity.check(Recipe("torch"), figures)
    parity.check(Recipe("torch", "fp16"), figures)


def test_a_growing_error_is_drift():
    figures = parity.compare(EXACT, Stream(lambda n: np.float32(1e-4 * n)), FEEDS)
    assert figures.relative < parity.RELATIVE["fp16"]
    with pytest.raises(EngineError, match="drift"):
        parity.check(Recipe("torch", "fp16"), figures)


def test_the_worst_frame_counts_and_only_where_it_is_shown():
    same, off = pictures(100), pictures(110)
    figures = parity.compare([same, same], Paints(same, off), [{}, {}])
    assert figures.lower_face_psnr == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
    with pytest.raises(EngineError, match=r"lower-face PSNR 28\.1 dB, at least 40 wanted"):
        parity.check(Recipe("torch", "fp16"), figures)
    hidden = parity.compare([pictures(100, 0)], Paints(pictures(110, 0)), [{}])
    assert hidden.lower_face_psnr == np.inf
    assert hidden.picture_psnr < 29


def test_alpha_is_compared():
    figures = parity.compare([pictures(9, 255)], Paints(pictures(9, 240)), [{}])
    with pytest.raises(EngineError, match="alpha differs by 15 levels"):
        parity.check(Recipe("torch", "int8"), figures)


def test_another_form_is_refused():
    with pytest.raises(EngineError, match=r"gives .*\[1, 8, 8, 1\].* expected"):
        parity.compare([pictures(1)], Paints({**pictures(1), "rgb": pictures(1)["alpha"]}), [{}])


def test_what_is_no_number_is_refused():
    with pytest.raises(EngineError, match="not finite"):
        parity.compare(EXACT[:1], Stream(lambda n: np.float32("nan")), FEEDS[:1])
