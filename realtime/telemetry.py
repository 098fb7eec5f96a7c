"""Telemetry: how long each stage took, what was lost, how late the pictures were; in bounded memory.

Times are histograms by stage. Frames are counted as "frames" when they are shown and as "frames_dropped_…" when their
deadline was missed; both are also kept for the last seconds, by which a stream is called healthy or not.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from realtime.clock import Clock, MonotonicClock
from realtime.histogram import Histogram

RECENT_S = 10
"""Seconds that health looks back."""
MOST_MISSED = 0.01
"""Share of recent deadlines that a healthy stream may miss."""
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the buckets shown to Prometheus, in seconds."""
SHOWN = "frames"
DROPPED = "frames_dropped_"


class Telemetry:
    """What one stream did. Any thread may write; each stage is written by one."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._created = self._clock.now()
        self._lock = Lock()
        self._stages: dict[str, Histogram] = {}
        self._counts: Counter[str] = Counter()
        self._recent: deque[tuple[int, Counter[str]]] = deque(maxlen=RECENT_S)
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
        second = int(self.since_start())
        with self._lock:
            self._counts[what] += number
            if not self._recent or self._recent[-1][0] != second:
                self._recent.append((second, Counter()))
            self._recent[-1][1][what] += number

    def note(self, what: str, value: float) -> None:
        """Keep one number."""
        self._values[what] = round(float(value), 3)

    def noted(self, what: str) -> float:
        """The number that was kept last; 0 if none was."""
        return self._values.get(what, 0.0)

    def since_start(self) -> float:
        """Seconds since this telemetry was made."""
        return self._clock.now() - self._created

    def stage(self, name: str) -> Histogram:
        """A copy of a stage's durations so far; empty if there are none."""
        copy = Histogram()
        if name in self._stages:
            copy.merge(self._stages[name])
        return copy

    def counted(self, what: str) -> int:
        """How often something was counted."""
        return self._counts[what]

    def missed(self) -> float:
        """Share of deadlines that were missed, from the start on."""
        return _share_missed(self._copy_counts())

    def missed_recently(self) -> float:
        """Share of deadlines that were missed in the last `RECENT_S` seconds."""
        oldest = self.since_start() - RECENT_S
        with self._lock:
            recent = [counts for second, counts in self._recent if second >= oldest]
            return _share_missed(sum(recent, Counter()))

    def healthy(self) -> bool:
        """Whether the stream keeps its deadlines at present. One that shows nothing misses none."""
        return self.missed_recently() <= MOST_MISSED

    def add(self, other: Telemetry) -> None:
        """Take over the times and counts of a stream that has ended."""
        with self._lock:
            self._counts.update(other._copy_counts())
        for name, histogram in dict(other._stages).items():
            self._stages.setdefault(name, Histogram()).merge(histogram)

    def report(self) -> dict[str, object]:
        """Everything, ready for JSON."""
        stages = {name: histogram.report() for name, histogram in sorted(dict(self._stages).items())}
        return {**self._values, "counts": dict(sorted(self._copy_counts().items())), "stages": stages}

    def _copy_counts(self) -> Counter[str]:
        with self._lock:
            return self._counts.copy()


def healthy(telemetries: Iterable[Telemetry]) -> bool:
    """Whether every stream keeps its deadlines."""
    return all(telemetry.healthy() for telemetry in telemetries)


def prometheus(running: Iterable[Telemetry], ended: Telemetry | None = None) -> str:
    """Everything in Prometheus' text format, version 0.0.4.

    Args:
        running: the streams there are.
        ended: the sum of those that were (see `Telemetry.add`), so that counters never fall.
    """
    streams = list(running)
    total = Telemetry()
    for telemetry in [*streams, *([ended] if ended else [])]:
        total.add(telemetry)
    lines = ["# HELP marotte_stage_seconds What each stage of a frame took.", "# TYPE marotte_stage_seconds histogram"]
    for name, histogram in sorted(total._stages.items()):
        if name != "delay":
            lines += _buckets("marotte_stage_seconds", histogram, f'stage="{name}"')
    lines += ["# HELP marotte_delay_seconds Voice to picture.", "# TYPE marotte_delay_seconds histogram"]
    lines += _buckets("marotte_delay_seconds", total.stage("delay"))
    for name, count in sorted(total._counts.items()):
        lines += [f"# TYPE marotte_{_plain(name)}_total counter", f"marotte_{_plain(name)}_total {count}"]
    values = {"streams": float(len(streams)), "healthy": float(healthy(streams))}
    values["missed_ratio"] = max([0.0, *(telemetry.missed_recently() for telemetry in streams)])
    for telemetry in streams:  # of several, the last one's: they cannot be added up
        values.update(telemetry._values)
    for name, value in values.items():
        lines += [f"# TYPE marotte_{_plain(name)} gauge", f"marotte_{_plain(name)} {value:g}"]
    return "\n".join(lines) + "\n"


def _buckets(name: str, histogram: Histogram, label: str = "") -> list[str]:
    comma = f"{label}," if label else ""
    braces = f"{{{label}}}" if label else ""
    lines = [
        f'{name}_bucket{{{comma}le="{bound:g}"}} {count}'
        for bound, count in zip(BOUNDS, histogram.cumulative(BOUNDS), strict=True)
    ]
    lines.append(f'{name}_bucket{{{comma}le="+Inf"}} {histogram.count}')
    return [*lines, f"{name}_sum{braces} {histogram.total:.6f}", f"{name}_count{braces} {histogram.count}"]


def _plain(name: str) -> str:
    """A name with the characters that Prometheus allows."""
    return re.sub(r"\W", "_", name, flags=re.ASCII).lower()


def _share_missed(counts: Counter[str]) -> float:
    missed = sum(count for what, count in counts.items() if what.startswith(DROPPED))
    return missed / max(1, missed + counts[SHOWN])
