from fractions import Fraction

import numpy as np
import pytest

from realtime.pacer import GUARD, Drop, Pacer, Show

FPS = Fraction(25)


def play(ready, fps=FPS):
    """Decisions for frames that are ready at these times."""
    pacer = Pacer(fps)
    return [pacer.decide(number, moment) for number, moment in enumerate(ready)]


def dues(decisions):
    return np.array([decision.due for decision in decisions])


def test_even_frames_are_shown_evenly():
    due = dues(play(0.07 + np.arange(1000) / 25))
    assert np.diff(due) == pytest.approx(1 / 25)
    assert due[-1] - (0.07 + 999 / 25) <= GUARD + 1e-9


def test_jitter_is_taken_out():
    jitter = np.random.default_rng(0).uniform(0, 0.015, 2000)
    ready = np.arange(2000) / 25 + jitter
    decisions = play(ready)
    assert all(isinstance(decision, Show) for decision in decisions)
    due = dues(decisions)
    assert np.abs(np.diff(due[200:]) - 1 / 25).max() < 0.006
    assert (due - np.arange(2000) / 25)[200:].max() < 0.015 + 2 * GUARD


def test_a_hiccup_costs_pictures_and_not_delay():
    ready = np.arange(500) / 25
    ready[100:110] = 110 / 25  # ten frames come together
    decisions = play(ready)
    dropped = [number for number, decision in enumerate(decisions) if isinstance(decision, Drop)]
    assert dropped == list(range(100, 109))
    assert decisions[-1].due - ready[-1] < 0.04 + GUARD + 1e-9


def test_a_stray_frame_does_not_hold_up_the_others():
    ready = np.arange(1000) / 25
    ready[::20] += 0.03
    decisions = play(ready)
    wait = dues(decisions) - ready
    assert wait.min() >= 0
    assert wait[200:].max() < 2.5 * GUARD


def test_frames_that_all_take_longer_become_even_again():
    ready = np.arange(1000) / 25
    ready[200:] += 0.03
    due = dues(play(ready))
    assert np.abs(np.diff(due[400:]) - 1 / 25).max() < 0.001


def test_the_delay_recovers_after_a_slow_start():
    ready = np.arange(2500) / 25
    ready[0] += 0.3
    decisions = play(ready)
    assert decisions[-1].due - ready[-1] < 3 * GUARD


def test_a_stream_that_moved_is_followed_after_a_while():
    ready = np.arange(500) / 25
    ready[100:] += 0.7  # the source stood still
    shown = [number for number, decision in enumerate(play(ready)) if isinstance(decision, Show)]
    late = [number for number in range(100, 500) if number not in shown]
    assert len(late) <= 0.5 * 25 + 1
    assert shown[-1] == 499


def test_after_a_bad_spell_the_delay_is_normal_within_a_second():
    late = np.random.default_rng(0).uniform(0, 0.06, 3000)
    spell = np.arange(3000) % 375 >= 250  # five seconds of fifteen
    ready = np.arange(3000) / 25 + late * spell
    waited = np.array(
        [
            decision.due - number / 25 if isinstance(decision, Show) else np.nan
            for number, decision in enumerate(play(ready))
        ]
    )
    assert np.nanpercentile(waited[spell], 75) > 0.04
    second_after = np.arange(3000) % 375 == 25
    assert waited[second_after & (np.arange(3000) > 375)].max() < 0.01 + GUARD


@pytest.mark.parametrize("drift", [-2e-4, 2e-4], ids=["fast sound card", "slow sound card"])
def test_drift_is_followed_for_hours(drift):
    ready = np.arange(4 * 3600 * 25) / 25 * (1 + drift) + 0.05
    decisions = play(ready)
    assert all(isinstance(decision, Show) for decision in decisions)
    delay = dues(decisions) - ready
    assert delay.min() >= -1e-9
    assert delay.max() < 3 * GUARD


@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
def test_eight_hours_of_clocks_that_differ_by_100_ppm_cost_neither_delay_nor_pictures(drift):
    fps = Fraction(10)
    frames = np.arange(8 * 3600 * 10)
    jitter = np.random.default_rng(0).uniform(0, 0.003, len(frames))
    pacer = Pacer(fps)
    decisions = [pacer.decide(int(n), float(ready)) for n, ready in enumerate(0.1 + frames / 10 * (1 + drift) + jitter)]
    assert not [decision for decision in decisions if isinstance(decision, Drop)]
    waited = dues(decisions) - (0.1 + frames / 10 * (1 + drift))
    settled = waited[10 * 1200 :]
    assert settled.min() > 0.003
    assert settled.max() < 0.003 + 2.5 * GUARD
    assert settled[-36000:].mean() == pytest.approx(settled[:36000].mean(), abs=0.0005)
    assert np.abs(np.diff(dues(decisions)[10 * 1200 :]) - 0.1).max() < 0.003
    assert pacer.drift == pytest.approx(drift, abs=3e-5)
