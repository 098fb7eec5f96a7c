"""A voice that arrives as raw samples, as a text-to-speech service or an agent sends it over a socket.

It may come in bursts, faster than it is spoken: it waits here and is heard in real time, silence where there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from realtime.clock import Clock
from realtime.errors import InputError
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk, Samples

BLOCK = SAMPLE_RATE // 100
"""Samples heard at a time: 10 ms."""
BACKLOG = 20
"""Blocks that may wait for the loop; more are lost, the oldest first, and leave a gap that the chunker counts."""
MOST_WAITING_S = 120
"""Seconds of sound that may wait to be heard."""


class PcmSource:
    """Speaks what is pushed. All calls come from the event loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting = bytearray()  # s16le
        self._chunks: Mailbox[AudioChunk] = Mailbox(BACKLOG, Overflow.KEEP_NEWEST)
        self._position = 0
        self._generation = 0

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that are yet to be heard."""
        return len(self._waiting) / 2 / SAMPLE_RATE

    def push_bytes(self, pcm: bytes) -> None:
        """Add sound after what waits: 16 kHz, mono, signed 16 bit, little-endian; cut anywhere.

        Raises:
            InputError: more than MOST_WAITING_S would wait; nothing of it was taken.
        """
        if len(self._waiting) + len(pcm) > 2 * SAMPLE_RATE * MOST_WAITING_S:
            raise InputError(f"More than {MOST_WAITING_S} s of sound would wait to be spoken: send it more slowly.")
        self._waiting += pcm

    def flush(self) -> None:
        """Barge-in: forget what waits, here and in the loop, and fall silent at once."""
        self._waiting.clear()
        self._generation += 1
        self._chunks.offer(self._next(np.zeros(0, np.float32)))

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        pacing = asyncio.create_task(self._pace())
        try:
            async for chunk in self._chunks:
                yield chunk
        finally:
            pacing.cancel()

    def close(self) -> None:
        self._chunks.close()

    async def _pace(self) -> None:
        """Hand over a block whenever it would have been heard."""
        begin = self._clock.now()
        while True:
            await self._clock.sleep_until(begin + (self._position + BLOCK) / SAMPLE_RATE)
            whole = min(2 * BLOCK, len(self._waiting) & ~1)
            block = np.zeros(BLOCK, np.float32)
            block[: whole // 2] = np.frombuffer(bytes(self._waiting[:whole]), "<i2") / np.float32(32768)
            del self._waiting[:whole]
            self._chunks.offer(self._next(block))

    def _next(self, samples: Samples) -> AudioChunk:
        chunk = AudioChunk(samples, self._position, self._generation)
        self._position = chunk.end
        return chunk
