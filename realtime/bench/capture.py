"""A voice as a sound card delivers it: blocks of 10 ms from a thread, each when its last sample has sounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import Event, Thread

from realtime.clock import Clock
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk, Samples

BLOCK = SAMPLE_RATE // 100
"""Samples of a block: 10 ms."""
BACKLOG = 20
"""Blocks that may wait for the loop, as for a microphone; more are lost, the oldest first."""


class PacedCapture:
    """Plays samples into the loop in real time, on absolute deadlines: a late block does not delay the next."""

    def __init__(self, samples: Samples, clock: Clock) -> None:
        self.origin: float | None = None
        """When the first sample sounded (s); None before the loop listens."""
        self._samples = samples
        self._clock = clock
        self._closing = Event()

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        blocks: Mailbox[AudioChunk] = Mailbox(BACKLOG, Overflow.KEEP_NEWEST)
        self.origin = self._clock.now()
        card = Thread(target=self._play, args=(asyncio.get_running_loop(), blocks, self.origin), name="sound card")
        card.start()
        try:
            async for block in blocks:
                yield block
        finally:
            self._closing.set()
            card.join()

    def close(self) -> None:
        self._closing.set()

    def _play(self, loop: asyncio.AbstractEventLoop, blocks: Mailbox[AudioChunk], origin: float) -> None:
        for start in range(0, len(self._samples), BLOCK):
            block = AudioChunk(self._samples[start : start + BLOCK], start)
            if self._closing.wait(max(0.0, origin + block.end / SAMPLE_RATE - self._clock.now())):
                break
            loop.call_soon_threadsafe(blocks.offer, block)
        loop.call_soon_threadsafe(blocks.close)
