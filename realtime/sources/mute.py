"""A voice with a switch that mutes it: the mouth rests and the sound is silent at once, as after a flush."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np

from realtime.mailbox import Mailbox, Overflow
from realtime.media import AudioChunk
from realtime.ports import AudioSource
from realtime.telemetry import Telemetry

BACKLOG = 20
"""Pieces that may wait for the loop; more are lost, the oldest first, and leave a gap that the chunker counts."""
MUTED = "muted"
"""Noted in the telemetry: 1 or 0."""


class MuteSwitch:
    """`AudioSource` around another one. All calls come from the event loop's thread.

    Muting begins a new generation, so that nothing said before waits for the look-ahead. Time goes on while it lasts,
    and what is said meanwhile is never heard.
    """

    def __init__(self, source: AudioSource, telemetry: Telemetry) -> None:
        self.muted = False
        self._source = source
        self._telemetry = telemetry
        self._chunks: Mailbox[AudioChunk] = Mailbox(BACKLOG, Overflow.KEEP_NEWEST)
        self._last = AudioChunk(np.zeros(0, np.float32), 0)
        self._times = 0

    def mute(self, muted: bool) -> None:
        """Mute the voice or let it be heard again."""
        if muted and not self.muted:
            self._times += 1
            self._offer(AudioChunk(np.zeros(0, np.float32), self._last.end, self._last.generation + 1))
        self.muted = muted
        self._telemetry.note(MUTED, muted)

    def toggle(self) -> None:
        """Mute what is heard, or the other way round."""
        self.mute(not self.muted)

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        listening = asyncio.create_task(self._listen())
        try:
            async for chunk in self._chunks:
                yield chunk
            await listening
        finally:
            listening.cancel()

    def close(self) -> None:
        self._source.close()

    async def _listen(self) -> None:
        try:
            async for chunk in self._source.chunks():
                heard = replace(chunk, generation=chunk.generation + self._times)
                self._offer(replace(heard, samples=np.zeros_like(chunk.samples)) if self.muted else heard)
        finally:
            self._chunks.close()

    def _offer(self, chunk: AudioChunk) -> None:
        self._last = chunk
        self._chunks.offer(chunk)
