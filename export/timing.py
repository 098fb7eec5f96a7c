"""Times taken so that they can be compared: the cases take turns, so that a busy moment falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    p10: float
    p50: float
    p99: float


def interleaved(cases: Mapping[str, Callable[[], object]], rounds: int = 4, calls: int = 10) -> dict[str, Times]:
    """Call each case in bursts, there and back; the first two calls of a burst only warm the caches."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds):
        for name in list(cases)[:: 1 if turn % 2 == 0 else -1]:
            for call in range(calls + 2):
                start = time.perf_counter()
                cases[name]()
                if call >= 2:
                    taken[name].append(1000 * (time.perf_counter() - start))
    return {name: Times(*(round(float(p), 3) for p in np.percentile(ms, [10, 50, 99]))) for name, ms in taken.items()}
