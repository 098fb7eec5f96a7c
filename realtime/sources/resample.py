"""Sound of any rate and layout, as PyAV frames, to 16 kHz mono."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from realtime.media import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    import av


class MonoResampler:
    """One stream's resampler; it keeps the filter's state from frame to frame.

    Rate and layout may change in the middle, as they do when a sender changes its device or its codec.
    """

    def __init__(self) -> None:
        self._kind: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def push(self, frame: av.AudioFrame) -> Samples:
        """Hear a frame; returns the samples that are ready."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind == self._kind:
            return self._collect(frame)
        rest = self.flush()
        self._kind, self._resampler = kind, _resampler()
        return np.concatenate([rest, self._collect(frame)])

    def flush(self) -> Samples:
        """The stream is over: what is still in the filter."""
        return self._collect(None)

    def _collect(self, frame: av.AudioFrame | None) -> Samples:
        pieces = self._resampler.resample(frame) if self._resampler else []
        return np.clip(np.concatenate([np.zeros(0, np.float32), *(piece.to_ndarray()[0] for piece in pieces)]), -1, 1)


def _resampler() -> av.AudioResampler:
    import av

    # Without the bound, mixing to mono in floating point makes equal channels louder than each of them.
    return av.AudioResampler("flt", "mono", SAMPLE_RATE, options={"rematrix_maxval": "1.0"})
