"""Sound of any rate and layout, as PyAV frames, to 16 kHz mono."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from realtime.media import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    import av


class MonoResampler:
    """One stream's resampler; it keeps the filter's state from frame to frame."""

    def __init__(self) -> None:
        import av

        # Without the bound, mixing to mono in floating point makes equal channels louder than each of them.
        self._resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE, options={"rematrix_maxval": "1.0"})

    def push(self, frame: av.AudioFrame) -> Samples:
        """Hear a frame; returns the samples that are ready."""
        return self._collect(frame)

    def flush(self) -> Samples:
        """The stream is over: what is still in the filter."""
        return self._collect(None)

    def _collect(self, frame: av.AudioFrame | None) -> Samples:
        ready = [piece.to_ndarray()[0] for piece in self._resampler.resample(frame)]
        return np.clip(np.concatenate([np.zeros(0, np.float32), *ready]), -1, 1)
