"""What flows: sound in chunks, pictures one by one, and the numbers they agree on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples per second of all sound inside; media time is a sample number at this rate."""

Samples = NDArray[np.float32]
"""float32 [n], mono, in [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """Consecutive samples of a stream."""

    samples: Samples
    start: int
    """Number of the first sample in its stream."""
    generation: int = 0
    """Grows when the source was flushed: whatever belongs to an older one, drawn or not, is to be forgotten."""

    @property
    def end(self) -> int:
        """Number of the sample after the last."""
        return self.start + len(self.samples)

    def followed_by(self, after: AudioChunk) -> AudioChunk:
        """This chunk and a later one as one, with silence for what lies between."""
        if after.start < self.end:
            raise ValueError(f"A chunk from sample {after.start} on does not follow one that ends at {self.end}.")
        gap = np.zeros(after.start - self.end, np.float32)
        return AudioChunk(np.concatenate([self.samples, gap, after.samples]), self.start, after.generation)

    def last(self, count: int) -> AudioChunk:
        """The last `count` samples, or all if there are fewer."""
        kept = self.samples[max(0, len(self.samples) - count) :]
        return AudioChunk(kept, self.end - len(kept), self.generation)


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One picture."""

    pixels: NDArray[np.uint8]
    """uint8 [H, W, 3], sRGB, C-contiguous, row 0 on top."""
    number: int
    """Frame number: it is shown while the samples [samples_before(number), samples_before(number + 1)) sound."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """Size and rate of a video stream."""

    width: int
    """px"""
    height: int
    """px"""
    fps: Fraction
    """Frames per second."""
