"""A histogram of durations with buckets of equal ratio (as HdrHistogram): small errors, bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

_SMALLEST = 1e-6
_STEP = math.log(1.02)


class Histogram:
    """Durations, kept to within 1 %, in as many counters as there are different sizes. One thread writes, any read."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        """Seconds, all together."""
        self._longest = 0.0
        self._buckets: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """Count one duration."""
        bucket = round(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _STEP)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._longest = max(self._longest, seconds)
        self.total += seconds
        self.count += 1

    def merge(self, other: Histogram) -> None:
        """Count what another one has counted as well."""
        for bucket, count in dict(other._buckets).items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self._longest = max(self._longest, other._longest)
        self.total += other.total
        self.count += other.count

    def since(self, before: Histogram) -> Histogram:
        """What was counted after `before`, which is an earlier copy. Its maximum is that of the whole time."""
        new = Histogram()
        new.merge(self)
        for bucket, count in before._buckets.items():
            new._buckets[bucket] -= count
        new.total -= before.total
        new.count -= before.count
        return new

    def percentile(self, percent: float) -> float:
        """Seconds that `percent` % of the durations do not exceed; 0 if there are none."""
        buckets = dict(self._buckets)  # whoever writes may add one
        remaining = math.ceil(sum(buckets.values()) * percent / 100)
        for bucket in sorted(buckets):
            remaining -= buckets[bucket]
            if remaining <= 0:
                return min(self._longest, _size(bucket))
        return 0.0

    def cumulative(self, bounds: Sequence[float]) -> list[int]:
        """How many durations do not exceed each of `bounds` (s)."""
        buckets = dict(self._buckets)
        return [sum(count for bucket, count in buckets.items() if _size(bucket) <= bound) for bound in bounds]

    def report(self) -> dict[str, float]:
        """Count, mean, percentiles and maximum; milliseconds."""
        seconds = {
            "mean_ms": self.total / max(1, self.count),
            "p50_ms": self.percentile(50),
            "p95_ms": self.percentile(95),
            "p99_ms": self.percentile(99),
            "max_ms": self._longest,
        }
        return {"count": self.count, **{name: round(1000 * value, 3) for name, value in seconds.items()}}


def _size(bucket: int) -> float:
    return _SMALLEST * math.exp(bucket * _STEP)
