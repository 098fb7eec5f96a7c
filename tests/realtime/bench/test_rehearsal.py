from fractions import Fraction

import numpy as np
import pytest
from fakes import ListSink, ListSource, LoudnessAnimator, voice
from virtual_time import VirtualClock, run_virtually

from realtime import loop
from realtime.bench import frame_number
from realtime.bench.rehearsal import Phase, PhasedTelemetry, Plan, Rehearsal

FPS = Fraction(25)
PLAN = Plan(FPS, Fraction(2), Fraction(1), Fraction(1, 2))


class HandClock:
    def now(self):
        return 0.0


class Told(LoudnessAnimator):
    """Tells from which frame on it was asked to begin."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.begun = []
        self.drawn = []

    def initial_state(self, frame=0):
        self.begun.append(frame)
        return frame

    def step(self, samples, state):
        self.drawn.append(state)
        return super().step(samples, state)


def test_the_plan_alternates_and_counts_only_what_has_settled():
    assert [PLAN.stand_in(number) for number in (0, 49, 50, 74, 75)] == [False, False, True, True, False]
    assert PLAN.phase(12) is Phase.SETTLING
    assert PLAN.phase(13) is Phase.REAL
    assert PLAN.phase(60) is Phase.SETTLING
    assert PLAN.phase(63) is Phase.FLOOR
    assert PLAN.phase(75) is Phase.SETTLING


@pytest.mark.parametrize("seconds", [6, 20, 600])
def test_every_run_has_frames_of_both(seconds):
    plan = Plan.spread_over(Fraction(seconds), FPS)
    phases = [plan.phase(number) for number in range(seconds * 25)]
    assert phases.count(Phase.REAL) > seconds * 25 / 3
    assert phases.count(Phase.FLOOR) > seconds * 25 / 8


def test_both_draw_in_turn_and_every_picture_has_its_number():
    real, floor = Told(FPS, 320, (256, 256), lambda number: 0.012), Told(FPS, 320, (256, 256), lambda number: 0.002)
    sound = voice(6)
    pictures = []

    class Look(ListSink):
        async def show(self, frame, sound):
            pictures.append((frame.number, frame_number.read(frame.pixels[:, :, 1])))

    async def perform():
        clock = VirtualClock()
        telemetry = PhasedTelemetry(clock)
        rehearsal = Rehearsal(real, floor, PLAN, telemetry, clock)
        source = ListSource(sound, clock=clock)
        await loop.run(source, rehearsal, [Look(clock)], live=True, clock=clock, telemetry=telemetry)
        return rehearsal, telemetry

    rehearsal, telemetry = run_virtually(perform())
    assert [number for number, _ in pictures] == list(range(150))
    assert [painted for _, painted in pictures] == list(range(150))
    assert [number for number in range(150) if PLAN.stand_in(number)] == floor.drawn
    assert floor.begun == [50, 125]
    assert np.array_equal(np.concatenate(rehearsal.heard)[: len(sound)], sound)
    assert len(rehearsal.began) == 150
    assert np.diff(rehearsal.began)[:140] == pytest.approx(0.04, abs=0.011)
    assert telemetry.phases[Phase.REAL].stage("animate").percentile(50) == pytest.approx(0.012, rel=0.02)
    assert telemetry.phases[Phase.FLOOR].stage("animate").percentile(50) == pytest.approx(0.002, rel=0.02)


def test_frames_that_are_only_heard_keep_their_numbers():
    telemetry = PhasedTelemetry(HandClock())
    real, floor = Told(FPS, 0, (256, 256)), Told(FPS, 0, (256, 256))
    rehearsal = Rehearsal(real, floor, PLAN, telemetry, HandClock())
    state = rehearsal.initial_state()
    for number in range(60):
        sound = np.full(640, number, np.float32)
        if number % 3:
            state = rehearsal.hear(sound, state)
        else:
            picture, state = rehearsal.step(sound, state)
            assert frame_number.read(picture[:, :, 1]) == number
    assert np.array_equal(np.concatenate(rehearsal.heard)[::640], np.arange(60))
    assert real.drawn == list(range(0, 50, 3))
    assert floor.drawn == [51, 54, 57]
