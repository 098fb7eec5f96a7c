"""Telemetry: how long each stage took, what was lost, how late the pictures were; in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.clock import Clock, MonotonicClock

_SMALLEST = 1e-6
_STEP = math.log(1.02)


class Histogram:
    """Durations, kept to within 1 %, in as many counters as there are different sizes."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0.0
        self._longest = 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.count += 1
        self._total += seconds
        self._longest = max(self._longest, seconds)
        self._buckets[round(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _STEP)] += 1

    def percentile(self, percent: float) -> float:
        """Seconds that `percent` % of the durations do not exceed; 0 if there are none."""
        remaining = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            remaining -= self._buckets[bucket]
            if remaining <= 0:
                return min(self._longest, _SMALLEST * math.exp(bucket * _STEP))
        return 0.0

    def report(self) -> dict[str, float]:
        """Count, mean, percentiles and maximum; milliseconds."""
        seconds = {
            "mean_ms": self._total / max(1, self.count),
            "p50_ms": self.percentile(50),
            "p95_ms": self.percentile(95),
            "p99_ms": self.percentile(99),
            "max_ms": self._longest,
        }
        return {"count": self.count, **{name: round(1000 * value, 3) for name, value in seconds.items()}}


class Telemetry:
    """What one stream did. Any thread may write; each stage is written by one."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._created = self._clock.now()
        self._stages: dict[str, Histogram] = {}
        self._counts: Counter[str] = Counter()
        self._values: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time what happens inside as one passage of a stage."""
        started = self._clock.now()
        yield
        self.record(stage, self._clock.now() - started)

    def record(self, stage: str, seconds: float) -> None:
        """Add one passage of a stage, or one delay."""
        self._stages.setdefault(stage, Histogram()).add(seconds)

    def count(self, what: str, number: int = 1) -> None:
        """Count something that happened, or was lost."""
        self._counts[what] += number

    def note(self, what: str, value: float) -> None:
        """Keep one number."""
        self._values[what] = round(value, 3)

    def since_start(self) -> float:
        """Seconds since this telemetry was made."""
        return self._clock.now() - self._created

    def report(self) -> dict[str, object]:
        """Everything, ready for JSON."""
        stages = {name: histogram.report() for name, histogram in sorted(self._stages.items())}
        return {**self._values, "counts": dict(sorted(self._counts.items())), "stages": stages}
