"""Runs of the benchmark whose figures are known."""

from fractions import Fraction

import numpy as np
from fakes import voice

from realtime.bench.figures import Outcome
from realtime.bench.rehearsal import PhasedTelemetry, Plan
from realtime.bench.witness import Recording, Witness
from realtime.media import SAMPLE_RATE

FPS = Fraction(25)
ORIGIN = 1000.0
PLAN = Plan(FPS, Fraction(6), Fraction(3), Fraction(1))


class StoppedClock:
    def now(self):
        return 0.0


def outcome(seconds=18, work=0.012, floor_work=0.002, look_ahead=0, heard_from=0, **changes):
    """Every frame is seen `work` s after all that it needs has sounded."""
    sound = voice(seconds)
    witness = Witness()
    began = []
    telemetry = PhasedTelemetry(StoppedClock())
    for number in range(int(seconds * FPS) - 25):
        own = floor_work if PLAN.stand_in(number) else work
        telemetry.phase = PLAN.phase(number)
        telemetry.record("animate", own)
        telemetry.record("frame", own)
        began.append(ORIGIN + heard_from / SAMPLE_RATE + (number + 1) / 25 + look_ahead / SAMPLE_RATE)
        witness.see(number, began[-1] + own)
    parts = {
        "plan": PLAN,
        "look_ahead": look_ahead,
        "witness": witness,
        "heard": sound[heard_from:],
        "began": np.array(began),
        "captured": Recording(sound, ORIGIN),
        "returned": None,
        "telemetry": telemetry,
        "cpu_s": 8.0,
    }
    return Outcome(**parts | changes)
