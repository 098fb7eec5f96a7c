"""What the tasks of the loop hand to each other, and what happens to it when it comes too late or was flushed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from realtime.chunker import Drive
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk, VideoFrame
from realtime.telemetry import Telemetry

CARRIED_SOUND = SAMPLE_RATE
"""Samples of sound at most that pictures left out may leave to the next one."""
BACKLOG = 4
"""Frames that may wait in a mailbox that makes the writer wait."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A frame whose sound has come."""

    drive: Drive
    sound: AudioChunk
    at: float
    """When its last sample came (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A frame that can be shown."""

    frame: VideoFrame
    sound: AudioChunk
    at: float
    """When the frame's first sample came (s); estimated from when its last one did."""
    ready: float
    """When the frame was drawn (s)."""


Item = TypeVar("Item", Heard, Drawn)


class HandOver:
    """The rules of one stream."""

    def __init__(self, live: bool, telemetry: Telemetry) -> None:
        self.generation = 0
        """The newest that was heard of; what is older is left out wherever it is met."""
        self._live = live
        self._telemetry = telemetry

    def mailbox(self, live_capacity: int) -> Mailbox[Item]:
        """One that never makes a live stream wait, and never loses anything of a file."""
        if self._live:
            return Mailbox(live_capacity, Overflow.KEEP_NEWEST, self.leave_sound)
        return Mailbox(BACKLOG, Overflow.BLOCK)

    def leave_sound(self, lost: Item, following: Item) -> Item:
        """What takes the place of `following` when the frame before it is left out."""
        if lost.sound.generation < following.sound.generation:
            return following
        sound = lost.sound.followed_by(following.sound)
        self._telemetry.count("samples_lost", max(0, len(sound.samples) - CARRIED_SOUND))
        return replace(following, sound=sound.last(CARRIED_SOUND))

    def is_flushed(self, item: Heard | Drawn) -> bool:
        """Whether an item was queued before the source was flushed; it is then counted."""
        flushed = item.sound.generation < self.generation
        if flushed:
            self._telemetry.count("frames_flushed")
        return flushed
