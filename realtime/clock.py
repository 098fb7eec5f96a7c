"""The clock: the only module that reads the time, and the one place where samples become frames."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from typing import Protocol

from realtime.media import SAMPLE_RATE


class Clock(Protocol):
    """Time in seconds that never goes backwards. Tests pass one whose time they make."""

    def now(self) -> float:
        """Seconds since some moment; may be called from any thread."""
        ...

    async def sleep_until(self, when: float) -> None:
        """Wait for the moment `when`; return at once (but give way) if it has passed."""
        ...


class MonotonicClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.perf_counter()

    async def sleep_until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - self.now()))


def samples_before(frame: int, fps: Fraction) -> int:
    """Samples that sound before frame `frame` (from 0) is shown, rounded down.

    Frame n covers the samples [samples_before(n), samples_before(n + 1)).
    """
    return frame * SAMPLE_RATE * fps.denominator // fps.numerator


def frames_for(samples: int, fps: Fraction) -> int:
    """Frames that it takes to cover `samples` samples, rounded up."""
    return -(-samples * fps.numerator // (SAMPLE_RATE * fps.denominator))
