"""The chunker: sound in pieces of any size in, the samples that drive each frame out. No waiting, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from realtime.clock import frames_for, samples_before
from realtime.media import AudioChunk, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """What one frame needs."""

    number: int
    """The frame's number."""
    samples: Samples
    """The samples that the animator has not had yet, up to the look-ahead after the frame's end."""
    sound: AudioChunk
    """What is heard while the frame is shown; or, with a look-ahead below 0, so much before it."""


class Chunker:
    """Cuts one stream into frames. How the stream was cut before makes no difference."""

    def __init__(self, fps: Fraction, look_ahead: int) -> None:
        """A stream that begins.

        Args:
            fps: frames per second.
            look_ahead: samples after its end that a frame needs; at least minus the shortest frame's length.
        """
        self.filled = 0
        """Samples of silence put in for sound that was lost before it came here."""
        self._fps = fps
        self._look_ahead = look_ahead
        self._generation = 0
        self._frame = 0
        self._origin: int | None = None
        self._late = max(0, -look_ahead)  # samples by which sound comes after its frame
        self._kept: Samples = np.zeros(0, np.float32)  # from sample `_sounded` on
        self._heard = 0
        self._given = 0
        self._sounded = 0

    def push(self, chunk: AudioChunk) -> list[Drive]:
        """Hear a chunk and return the frames that it completes. The first sample of all is the first of frame 0.

        The first chunk of a generation turns what was heard and not yet given into silence, and completes the frame in
        hand with silence as well, so that the new state can be shown at once. Sound time is then ahead by that much.
        """
        if self._origin is None:
            self._origin = chunk.start
            self._generation = chunk.generation
        drives = self._forget(chunk.generation) if chunk.generation > self._generation else []
        gap = chunk.start - self._origin - self._heard
        if gap < 0:
            raise ValueError(f"Sample {chunk.start} came twice: the stream stood at {self._origin + self._heard}.")
        self.filled += gap
        return drives + self._hear(np.concatenate([np.zeros(gap, np.float32), chunk.samples]))

    def _forget(self, generation: int) -> list[Drive]:
        assert self._origin is not None
        self._generation = generation
        self._kept[:] = 0
        missing = samples_before(self._frame + 1, self._fps) + self._look_ahead - self._heard
        self._origin -= missing
        return self._hear(np.zeros(missing, np.float32))

    def flush(self) -> list[Drive]:
        """The stream is over: the remaining frames, with silence after its end.

        All in all N samples make ceil(N * fps / 16000) frames; with a look-ahead below 0 as many more as it takes to
        bring out all sound.
        """
        end = samples_before(frames_for(self._heard + self._late, self._fps), self._fps) + self._look_ahead
        return self._hear(np.zeros(max(0, end - self._heard), np.float32)) if self._heard else []

    def _hear(self, samples: Samples) -> list[Drive]:
        self._kept = np.concatenate([self._kept, samples])
        self._heard += len(samples)
        base = self._sounded
        drives = []
        while (needed := (end := samples_before(self._frame + 1, self._fps)) + self._look_ahead) <= self._heard:
            new = self._kept[self._given - base : needed - base]
            sound = self._kept[self._sounded - base : end - self._late - base]
            drives.append(Drive(self._frame, new, AudioChunk(sound, self._sounded, self._generation)))
            self._frame, self._given, self._sounded = self._frame + 1, needed, end - self._late
        self._kept = self._kept[self._sounded - base :].copy()
        return drives
