"""The playout buffer: sound in pieces of a frame in, even blocks out, to the beat of another clock. No waiting."""

from __future__ import annotations

import threading

import numpy as np

from realtime.media import SAMPLE_RATE, AudioChunk, Samples

LEAST = SAMPLE_RATE * 20 // 1000
"""Samples that are in hand before a piece comes, for the scheduler's jitter."""
SLACK = SAMPLE_RATE * 10 // 1000
"""Samples more than that which are left alone."""
WINDOW = SAMPLE_RATE
"""Samples over which the least in hand is observed."""
MOST = SAMPLE_RATE // 2
"""Samples in hand at most; older ones are lost."""


class PlayoutBuffer:
    """Between one thread that pushes and one that pulls.

    Two clocks never agree. Where the buffer grows or shrinks over a while, a pulled block is made from one sample more
    or less: half a per cent of speed, which nobody hears.
    """

    def __init__(self) -> None:
        self.lost = 0
        """Samples that nobody heard, because too many were in hand."""
        self.missing = 0
        """Samples that were pulled and not there."""
        self._lock = threading.Lock()
        self._samples: Samples = np.zeros(0, np.float32)
        self._end: int | None = None
        self._observed = 0
        self._least = MOST
        self._correction = 0

    def push(self, sound: AudioChunk) -> None:
        """Add what comes next; silence where something was left out."""
        with self._lock:
            gap = min(MOST, sound.start - self._end) if self._end is not None else 0
            self._end = sound.end
            start = LEAST if len(self._samples) == 0 else 0  # at first, and after it ran dry
            self._least = min(self._least, len(self._samples) + start)
            kept = np.concatenate(
                [np.zeros(start, np.float32), self._samples, np.zeros(gap, np.float32), sound.samples]
            )
            self.lost += max(0, len(kept) - MOST)
            self._samples = kept[-MOST:]

    def pull(self, count: int) -> Samples:
        """The next `count` samples; silence for those that are not there."""
        with self._lock:
            self._observe(count)
            taken = self._samples[: count + self._correction]
            self._samples = self._samples[len(taken) :]
        if len(taken) == count + self._correction and self._correction:
            return np.interp(np.linspace(0, len(taken) - 1, count), np.arange(len(taken)), taken).astype(np.float32)
        self.missing += max(0, count - len(taken))
        return np.concatenate([taken[:count], np.zeros(max(0, count - len(taken)), np.float32)])

    def _observe(self, count: int) -> None:
        self._observed += count
        if self._observed >= WINDOW:
            self._correction = int(self._least > LEAST + SLACK) - int(self._least <= LEAST - SLACK)
            self._observed, self._least = 0, MOST
