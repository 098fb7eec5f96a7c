"""The sink that tells how far the stream is."""

from __future__ import annotations

from collections.abc import Callable

from realtime.media import AudioChunk, VideoFrame
from realtime.sinks.null import NullSink


class ProgressSink(NullSink):
    """Calls a function with the number of frames so far."""

    def __init__(self, tell: Callable[[int], object]) -> None:
        self._tell = tell

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        self._tell(frame.number + 1)
