"""The pacer: when a frame of a live stream is due, and whether it is still worth showing. No waiting, no clock.

Frames are shown at even, absolute times: frame n at `n / fps + offset`. The offset is the least that most frames can
keep. A frame that is a little late is shown at once and moves the offset a little: others must be late, too, before all
have to wait for them. One that is very late is left out, so that a hiccup costs evenness or pictures and not delay.
When frames have been early for a while, the offset shrinks.

A sound card's clock and the machine's drift apart, steadily. The offset follows with a slope of its own, learned from
what the corrections have in common (a controller with a proportional and an integral part), so that the guard against
jitter is not eaten up on the one side, nor the delay grows on the other.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from fractions import Fraction

TOLERANCE = Fraction(1)
"""Frame times that a frame may be late and still be shown."""
PATIENCE = 0.5
"""Seconds of nothing but late frames after which the stream itself must have moved, and the offset follows."""
WINDOW = 0.5
"""Seconds over which earliness is observed before the offset shrinks."""
MOVED = 0.02
"""Seconds of earliness, over a window, that are neither jitter nor drift: a bad spell is over, and so is its delay."""
STRAYS = Fraction(1, 10)
"""Share of the frames in a window that may be later than the rest without keeping the offset up."""
RISE = 0.001
"""Seconds at most by which one late frame moves the offset."""
GUARD = 0.004
"""Seconds of earliness that stay, for the scheduler's jitter."""
LEARNING = 0.0005
"""Share of a window's error that is taken for drift: it is known after some minutes, and jitter is hardly learned."""
STEEPEST = 500e-6
"""Drift at most, in seconds a second; sound cards stay below 200e-6."""


@dataclass(frozen=True, slots=True)
class Show:
    """Show the frame at the time `due` (seconds, which may have passed by a little)."""

    due: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Do not show the frame: it is late by `late` seconds."""

    late: float


class Pacer:
    """Decides for the frames of one stream, in order."""

    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._tolerance = float(TOLERANCE / fps)
        self._offset: float | None = None
        self.drift = 0.0
        """Seconds that the stream falls behind the clock in a second, as far as is known."""
        self._window_end = 0.0
        self._early: list[float] = []  # of the window's frames, in order; one per frame and second
        self._late_since: float | None = None

    def decide(self, number: int, ready: float) -> Show | Drop:
        """What to do with frame `number`, which was ready at the time `ready` (seconds)."""
        media = float(number / self._fps)
        if self._offset is None:
            return self._anchor(media, ready)
        self._offset += self.drift / float(self._fps)
        early = media + self._offset - ready
        if early >= -self._tolerance:
            self._late_since = None
            self._offset += min(RISE, max(0.0, -early))
            self._observe(early, ready)
            return Show(max(ready, media + self._offset))
        self._late_since = ready if self._late_since is None else self._late_since
        if ready - self._late_since >= PATIENCE:
            return self._anchor(media, ready)
        return Drop(-early)

    def restart(self) -> None:
        """The stream was flushed: show its next frame as soon as it is ready."""
        self._offset = None

    def _anchor(self, media: float, ready: float) -> Show:
        self._offset = ready + GUARD - media
        self._late_since = None
        self._begin_window(ready)
        return Show(ready + GUARD)

    def _observe(self, early: float, ready: float) -> None:
        insort(self._early, early)
        if ready >= self._window_end:
            assert self._offset is not None
            excess = self._early[int(STRAYS * len(self._early))] - GUARD
            if excess > MOVED:
                self._offset -= excess
            else:
                self._offset -= max(-GUARD, excess) / 2
                self.drift -= LEARNING * max(-GUARD, min(GUARD, excess)) / WINDOW
                self.drift = max(-STEEPEST, min(STEEPEST, self.drift))
            self._begin_window(ready)

    def _begin_window(self, ready: float) -> None:
        self._window_end = ready + WINDOW
        self._early.clear()
