"""Where in one recording the sound of another is: a voice that went through codecs and buffers is found again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.media import SAMPLE_RATE, Samples

WINDOW = SAMPLE_RATE
"""Samples that are searched for at a time."""
REACH = 4 * SAMPLE_RATE
"""Samples by which the two may be apart."""
NEAR = SAMPLE_RATE // 2
"""Samples by which a lag may differ from the one before: looked at first, since it is quick."""
ALIKE = 0.4
"""Correlation from which a window counts as found."""
QUIET = 0.01
"""Largest step from sample to sample in a window that need not be found."""


class Alignment:
    """Maps sample numbers of one recording to those of another."""

    def __init__(self, at: NDArray[np.float64], lag: NDArray[np.float64], share: float) -> None:
        self.share = share
        """Share of what sounds that was found."""
        self._at = at
        self._lag = lag

    @property
    def found(self) -> bool:
        """Whether there is anything in common."""
        return len(self._at) > 0

    def to_other(self, sample: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sample numbers in the other recording, by the nearest window that was found."""
        nearest = np.searchsorted((self._at[1:] + self._at[:-1]) / 2, sample)
        return sample + self._lag[nearest]


def align(one: Samples, other: Samples) -> Alignment:
    """Find the sound of `one` in `other`, window by window, to the sample.

    Windows are sharpened by their differences, since voiced sound is alike at every period of the voice.
    """
    one, other = np.diff(one, prepend=0), np.diff(other, prepend=0)
    at: list[float] = []
    lags: list[int] = []
    sounding = 0
    for start in range(0, len(one) - WINDOW + 1, WINDOW // 2):
        window = one[start : start + WINDOW]
        sounding += bool(np.abs(window).max() > QUIET)
        searches = [(start + lags[-1], NEAR)] if lags else []
        for middle, reach in [*searches, (start, REACH)]:
            begin = max(0, middle - reach)
            place, likeness = _best(window, other[begin : middle + WINDOW + reach])
            if likeness >= ALIKE:
                at.append(start + WINDOW / 2)
                lags.append(begin + place - start)
                break
    return Alignment(np.array(at, np.float64), np.array(lags, np.float64), len(at) / max(1, sounding))


def _best(window: Samples, part: Samples) -> tuple[int, float]:
    """Where in `part` the window fits best, and the correlation there."""
    if len(part) < len(window) or not window.any():
        return 0, 0.0
    size = 1 << (len(part) + len(window)).bit_length()
    product = np.fft.irfft(np.fft.rfft(part, size) * np.fft.rfft(window, size).conj(), size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(part, dtype=np.float64))])
    places = len(part) - len(window) + 1
    beneath = np.maximum(energy[len(window) :] - energy[:places], 1e-9) * np.sum(np.square(window, dtype=np.float64))
    correlation = product[:places] / np.sqrt(beneath)
    best = int(correlation.argmax())
    return best, float(correlation[best])
