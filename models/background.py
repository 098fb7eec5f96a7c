"""The clip behind the puppet: played forward and back for ever, any length of speech, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from models.errors import PuppetError

GROUP = 12
"""Frames from one key frame to the next: what must be decoded to play backwards, and half of what is kept."""

Frame = UInt8[NDArray[np.uint8], "H W 3"]


def bounce(n: int, frames: int) -> int:
    """The clip's frame shown as number n when it plays forward and back: 0 1 2 … N-1 N-2 … 1 0 1 …"""
    if frames == 1:
        return 0
    k = n % (2 * frames - 2)
    return k if k < frames else 2 * frames - 2 - k


class Background:
    """Reads background.mp4, one group of pictures at a time.

    While one group is shown, the next one in the direction of play is decoded, a frame for each that is played, so that
    no call is much slower than another. At most two groups are kept.
    """

    def __init__(self, path: Path, frames: int) -> None:
        self._container = av.open(str(path))
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        self._path = path
        self._frames = frames
        self._groups: dict[int, list[Frame]] = {}
        self._ahead: Iterator[None] = iter(())
        self._last = -1

    def frame(self, n: int) -> Frame:
        """Picture shown as number n (any; cheapest in order). The array is shared: copy before writing."""
        index = bounce(n, self._frames)
        group = index // GROUP
        if group not in self._groups:
            self._groups, self._ahead = {}, self._decode(group)
        if len(self._groups.get(group, ())) < self._length(group):
            for _ in self._ahead:  # frames were skipped
                pass
        following = bounce(n + GROUP, self._frames) // GROUP
        if following not in self._groups:
            self._groups = {group: self._groups[group]}
            self._ahead = self._decode(following)
        for _ in range(min(GROUP, n - self._last)):
            next(self._ahead, None)
        self._last = n
        return self._groups[group][index - group * GROUP]

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _length(self, group: int) -> int:
        return min(GROUP, self._frames - group * GROUP)

    def _decode(self, group: int) -> Iterator[None]:
        """Fill a group, a frame for each step."""
        kept = self._groups[group] = []
        rate = self._stream.average_rate
        assert rate is not None
        first = Fraction(group * GROUP) / rate
        time_base = Fraction(self._stream.time_base or 1)
        start = self._stream.start_time or 0
        self._container.seek(start + round(first / time_base), stream=self._stream, backward=True)
        for picture in self._container.decode(self._stream):
            if ((picture.pts or 0) - start) * time_base < first - 1 / (2 * rate):
                continue
            kept.append(picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False))
            if len(kept) == self._length(group):
                return
            yield
        raise PuppetError(f"{self._path} ends before frame {group * GROUP + len(kept)}; make the puppet again.")


def write_background(path: Path, frames: Iterable[Frame], fps: Fraction) -> None:
    """Write background.mp4 so that `Background` can play it: a key frame every GROUP frames, none that looks ahead."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = None
        for pixels in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "slow"})
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size = GROUP
                stream.max_b_frames = 0
                stream.codec_context.options |= {"sc_threshold": "0"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))
