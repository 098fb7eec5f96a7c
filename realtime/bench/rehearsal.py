"""The animator that is benchmarked: the real one and a stand-in by turns, with the number painted into every frame.

The stand-in does everything but the networks. Taking turns within one run, both meet the same machine in the same mood,
so that their difference is what the networks cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.bench import frame_number
from realtime.clock import Clock
from realtime.media import Samples
from realtime.ports import Animator
from realtime.telemetry import Telemetry


class Phase(Enum):
    """What a frame counts for."""

    REAL = "the real animator, steady"
    FLOOR = "the stand-in, steady"
    SETTLING = "after a change"


@dataclass(frozen=True, slots=True)
class Plan:
    """Who draws which frame: `real_s` seconds the real one, then `floor_s` the stand-in, and so on."""

    fps: Fraction
    real_s: Fraction = Fraction(20)
    floor_s: Fraction = Fraction(10)
    settle_s: Fraction = Fraction(4)
    """Seconds after each change that count for neither: the pacer finds its offset anew."""

    @classmethod
    def spread_over(cls, seconds: Fraction, fps: Fraction) -> Plan:
        """The usual plan, or a shorter one if it would not fit into `seconds`."""
        scale = min(Fraction(1), seconds / 30)
        return cls(fps, 20 * scale, 10 * scale, 4 * scale)

    @classmethod
    def without_turns(cls, seconds: Fraction, fps: Fraction) -> Plan:
        """The real animator draws all of `seconds`."""
        return cls(fps, seconds + 1, Fraction(0), min(Fraction(4), seconds / 10))

    def stand_in(self, number: int) -> bool:
        """Whether the stand-in draws frame `number`."""
        return self._within(number) >= self.real_s

    def phase(self, number: int) -> Phase:
        """What frame `number` counts for."""
        within = self._within(number)
        into = within - self.real_s if within >= self.real_s else within
        if into < self.settle_s:
            return Phase.SETTLING
        return Phase.FLOOR if within >= self.real_s else Phase.REAL

    def _within(self, number: int) -> Fraction:
        return number / self.fps % (self.real_s + self.floor_s)


class PhasedTelemetry(Telemetry):
    """Keeps the times of each phase apart as well."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.phase = Phase.SETTLING
        """The present one; what is recorded belongs to it."""
        self.phases = {phase: Telemetry(clock) for phase in Phase}

    def record(self, stage: str, seconds: float) -> None:
        super().record(stage, seconds)
        self.phases[self.phase].record(stage, seconds)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    number: int
    stand_in: bool
    inner: Any
    """State of whoever draws."""


class Rehearsal:
    """`realtime.ports.Animator` out of two, which must agree on size, rate and look-ahead."""

    def __init__(
        self, real: Animator[Any], floor: Animator[Any], plan: Plan, telemetry: PhasedTelemetry, clock: Clock
    ) -> None:
        self.width, self.height, self.fps = real.width, real.height, real.fps
        self.look_ahead = real.look_ahead
        self.heard: list[Samples] = []
        """All samples that came, in order: what this end of a connection has understood."""
        self.began: list[float] = []
        """When the drawing of each frame began (s)."""
        self._clock = clock
        self._animators = {False: real, True: floor}
        self._plan = plan
        self._telemetry = telemetry

    def initial_state(self, frame: int = 0) -> _State:
        if frame == 0:
            self.heard.clear()
            self.began.clear()
        stand_in = self._plan.stand_in(frame)
        return _State(frame, stand_in, self._animators[stand_in].initial_state(frame))

    def hear(self, samples: Samples, state: _State) -> _State:
        self.heard.append(samples)
        self.began.append(self._clock.now())
        stand_in, animator, inner = self._turn(state)
        return _State(state.number + 1, stand_in, animator.hear(samples, inner))

    def step(self, samples: Samples, state: _State) -> tuple[NDArray[np.uint8], _State]:
        self.heard.append(samples)
        self.began.append(self._clock.now())
        stand_in, animator, inner = self._turn(state)
        self._telemetry.phase = self._plan.phase(state.number)
        with self._telemetry.measure("frame"):
            picture, inner = animator.step(samples, inner)
        frame_number.paint(picture, state.number)
        return picture, _State(state.number + 1, stand_in, inner)

    def _turn(self, state: _State) -> tuple[bool, Animator[Any], Any]:
        """Whose turn it is, and in which state."""
        stand_in = self._plan.stand_in(state.number)
        animator = self._animators[stand_in]
        return stand_in, animator, state.inner if stand_in == state.stand_in else animator.initial_state(state.number)
