"""Puts the packets of a voice back in order; waits for a missing one only as long as this network makes them late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

P = TypeVar("P")

LEAST_HOLD, MOST_HOLD = 2, 8
"""Packets held back at most while an earlier one is missing: 20 to 80 ms with packets of 10 ms."""
CALM = 500
"""Packets after which the network is trusted a little more: 5 s with packets of 10 ms."""
CYCLE = 1 << 16
"""RTP's sequence numbers (RFC 3550) start again here."""
RESTART = 100
"""A packet that is more than this many behind does not come late: its sender has begun anew."""


class Resequencer(Generic[P]):
    """In order, packets pass at once. A gap holds some of them, then it is given up. No waiting, no clock.

    How many is learned: a packet that comes after its gap was given up says how many it would have taken.
    """

    def __init__(self) -> None:
        self.late = 0
        """Packets thrown away because they came twice, or after their gap was given up."""
        self._next: int | None = None
        self._hold = LEAST_HOLD
        self._calm = 0
        self._held: dict[int, P] = {}

    def push(self, number: int, packet: P) -> list[P]:
        """Take the packet with this 16-bit sequence number; returns those whose turn it is, in order."""
        if self._next is None or RESTART < self._behind(number) <= CYCLE // 2:
            self._next = number
            self._held.clear()
        self._calm += 1
        if self._calm >= CALM:
            self._set_hold(self._hold - 1)
        if self._behind(number) <= RESTART or number in self._held:
            self.late += 1
            if number not in self._held:
                self._set_hold(max(self._hold, self._behind(number) + len(self._held)))
            return []
        self._held[number] = packet
        if len(self._held) > self._hold:
            self._next = max(self._held, key=self._behind)
        return list(self._ready())

    def _set_hold(self, hold: int) -> None:
        self._hold = max(LEAST_HOLD, min(MOST_HOLD, hold))
        self._calm = 0

    def _behind(self, number: int) -> int:
        """How far a number lies before the next one expected, from 1 to CYCLE (the next one itself)."""
        assert self._next is not None
        return (self._next - number - 1) % CYCLE + 1

    def _ready(self) -> Iterator[P]:
        while self._next in self._held:
            yield self._held.pop(self._next)
            self._next = (self._next + 1) % CYCLE
