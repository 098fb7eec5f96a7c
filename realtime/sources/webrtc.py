"""The voice of a browser: an incoming WebRTC track."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk
from realtime.sources.resample import MonoResampler

if TYPE_CHECKING:
    import av
    from aiortc import MediaStreamTrack

BACKLOG = 20
"""Packets that may wait for the loop; more are lost, the oldest first, and leave a gap that the chunker counts."""


class TrackSource:
    """Takes a track's packets from the moment it is made, so that nothing piles up there, and listens with the loop.

    What was said before that is left out: a stream that began with it would be late, and so would be its sound, which
    browsers are slow to make up for.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        self._track = track
        self._chunks: Mailbox[AudioChunk] = Mailbox(BACKLOG, Overflow.KEEP_NEWEST)
        self._heeded = False
        self._listening = asyncio.create_task(self._listen())

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        self._heeded = True
        async for chunk in self._chunks:
            yield chunk

    def close(self) -> None:
        self._listening.cancel()

    async def _listen(self) -> None:
        from aiortc.mediastreams import MediaStreamError

        resampler = MonoResampler()
        position = 0
        expected: tuple[int, int] | None = None
        try:
            while True:
                frame = cast("av.AudioFrame", await self._track.recv())
                stamp = frame.pts or 0
                # Packets that were lost leave a gap in the time stamps. Another rate has another clock.
                if expected is not None and expected[0] == frame.sample_rate and self._heeded:
                    position += max(0, stamp - expected[1]) * SAMPLE_RATE // frame.sample_rate
                expected = frame.sample_rate, stamp + frame.samples
                samples = resampler.push(frame)
                if self._heeded:
                    self._chunks.offer(AudioChunk(samples, position))
                    position += len(samples)
        except MediaStreamError:
            pass  # the browser has ended the track
        finally:
            self._chunks.close()
            self._track.stop()
