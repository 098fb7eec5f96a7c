"""A network that is bad for some seconds again and again, and how soon a stream gets over it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from random import Random

import numpy as np
from numpy.typing import NDArray

from realtime.bench.through import Through
from realtime.bench.witness import Witness
from realtime.errors import InputError

GOOD_S, BAD_S = 10.0, 5.0
"""How long the network is good, at first and after each bad spell, and how long a spell is."""
JITTER_S = 0.06
"""In a spell each packet is late by up to this, and none overtakes another."""
MARGIN_S = 1.0
"""Seconds that a connection takes to begin."""
WINDOW_S = 0.2
"""Of delays whose median is looked at."""
NORMAL_S = 0.01
"""By how much the delay may exceed that of good times and be normal again."""


class Kind(Enum):
    """What a packet carries; the value is the share that a spell loses."""

    VOICE = 1 / 200
    VIDEO = 1 / 50
    OTHER = 0.0


class BadNetwork:
    """One connection's, in both directions. No waiting, no clock. It begins to count when the first packet comes."""

    def __init__(self) -> None:
        self.origin: float | None = None
        """When the first packet came (s)."""
        self.lost = 0
        """Packets."""
        self._chance = Random(1)
        self._latest = {True: 0.0, False: 0.0}

    def fate(self, kind: Kind, incoming: bool, now: float) -> float | None:
        """When a packet that is sent now (s) arrives; None if it never does."""
        if self.origin is None:
            self.origin = now
        if (now - self.origin) % (GOOD_S + BAD_S) >= GOOD_S:
            if self._chance.random() < kind.value:
                self.lost += 1
                return None
            self._latest[incoming] = max(self._latest[incoming], now + self._chance.uniform(0, JITTER_S))
        return max(now, self._latest[incoming])

    def ends(self, until: float) -> list[float]:
        """When spells ended (s), up to some seconds before `until`."""
        if self.origin is None:
            return []
        count = int((until - self.origin) / (GOOD_S + BAD_S))
        return [self.origin + (number + 1) * (GOOD_S + BAD_S) for number in range(count)]


def check(through: Through, seconds: float) -> None:
    """Make sure that a run can tell anything.

    Raises:
        InputError: there is no network in it, or it is too short for a spell.
    """
    if through not in (Through.WEBRTC, Through.CHROMIUM):
        raise InputError("--losses needs a network that can be bad: say --through webrtc or --through chromium.")
    if seconds < (least := 1.5 * GOOD_S + BAD_S + MARGIN_S):
        raise InputError(f"--losses needs --seconds {least:g} or more, so that something follows a bad spell.")


def recovery(
    ends: Sequence[float], at: NDArray[np.float64], delay: NDArray[np.float64], witness: Witness
) -> dict[str, float]:
    """How a stream got over the bad spells, ms.

    Args:
        ends: when they ended (s).
        at: when moments of the voice were seen (s), in order.
        delay: their delays (s).
        witness: the pictures that were seen.

    Raises:
        InputError: no picture was seen for long before the first spell or after it.
    """
    since = [(at - end) for end in ends if at[-1] - end > GOOD_S / 4]
    good = np.any([(after > -GOOD_S / 2 - BAD_S) & (after < -BAD_S) for after in since], axis=0)
    if not np.any(good):
        raise InputError("Nothing was seen before or after a bad spell: is the machine too busy, or --seconds too few?")
    normal = float(np.median(delay[good]))
    times = []
    for after in since:
        begins = np.arange(0, GOOD_S - WINDOW_S, WINDOW_S / 4)
        medians = [_median(delay[(after >= begin) & (after < begin + WINDOW_S)]) for begin in begins]
        back = [begin for begin, median in zip(begins, medians, strict=True) if median <= normal + NORMAL_S]
        times.append(float(back[0]) if back else GOOD_S)
    spells = np.any([(after > -BAD_S) & (after < 0) for after in since], axis=0)
    return {
        "spells": len(since),
        "normal": round(1000 * normal, 1),
        "in_spells_p95": round(1000 * float(np.percentile(delay[spells], 95)), 1),
        "recovery_p50": round(1000 * float(np.median(times)), 1),
        "recovery_max": round(1000 * max(times), 1),
        "longest_freeze": round(1000 * float(np.diff(witness.times).max()), 1),
    }


def _median(delay: NDArray[np.float64]) -> float:
    return float(np.median(delay)) if len(delay) else float("inf")
