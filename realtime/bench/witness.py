"""What a consumer saw and heard, with the time of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.bench import frame_number
from realtime.clock import Clock
from realtime.media import SAMPLE_RATE, Samples

THUMB = 48
"""Width and height of the small pictures by which the mouth is watched, px."""


Times = TypeVar("Times", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Sound with the time at which it sounded: sample i at `origin + i * seconds_per_sample`."""

    samples: Samples
    origin: float
    """s"""
    seconds_per_sample: float = 1 / SAMPLE_RATE

    def time(self, sample: Times) -> Times:
        """When samples sounded (s); they may lie between two."""
        return self.origin + sample * self.seconds_per_sample

    @classmethod
    def stamped(cls, samples: Samples, ends: NDArray[np.int64], stamps: NDArray[np.float64]) -> Recording:
        """Sound whose pieces were stamped when they came: what ends before sample `ends[i]` came at `stamps[i]` s.

        Pieces come late at times, but never early, so the line is laid along the most punctual ones.
        """
        slope, _ = np.polyfit(ends, stamps, 1)
        residual = stamps - slope * ends
        return cls(samples, float(np.percentile(residual, 10)), float(slope))


@dataclass(slots=True, eq=False)
class Witness:
    """The frames that were seen, in order, each when it was seen first."""

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    thumbs: list[NDArray[np.uint8]] = field(default_factory=list)
    """Grey pictures [THUMB, THUMB] without the strip of the number; empty if nobody asked for them."""
    unread: int = 0
    """Pictures whose number could not be read."""

    def see(self, number: int | None, at: float, thumb: NDArray[np.uint8] | None = None) -> None:
        """Note a picture."""
        if number is None:
            self.unread += 1
        elif not self.numbers or number > self.numbers[-1]:
            self.numbers.append(number)
            self.times.append(at)
            if thumb is not None:
                self.thumbs.append(thumb)

    def look(self, luma: NDArray[np.uint8], clock: Clock, thumbs: bool) -> None:
        """Read the number of a picture, from its luma or one channel [H, W], that is seen now."""
        at = clock.now()
        self.see(frame_number.read(luma), at, thumbnail(luma) if thumbs else None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays by name, for `from_arrays` in another process."""
        return {
            "numbers": np.array(self.numbers, np.int64),
            "times": np.array(self.times, np.float64),
            "thumbs": np.array(self.thumbs, np.uint8),
            "unread": np.array(self.unread),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Witness:
        """What `arrays` has put together."""
        numbers, times = arrays["numbers"].tolist(), arrays["times"].tolist()
        return cls(numbers, times, list(arrays["thumbs"]), int(arrays["unread"]))


def thumbnail(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without its number, small."""
    small = cv2.resize(luma[luma.shape[0] // 16 :], (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
