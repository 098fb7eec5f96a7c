"""The sink that shows nothing: for measuring, and for tests of what comes before it."""

from __future__ import annotations

from realtime.media import AudioChunk, StreamSpec, VideoFrame


class NullSink:
    """Takes everything at once."""

    async def open(self, spec: StreamSpec) -> None:
        pass

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        pass

    async def close(self) -> None:
        pass

    def abort(self) -> None:
        pass
