"""The voice at a microphone, in blocks of 10 ms."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import numpy as np

from realtime import sound_system
from realtime.clock import Clock, MonotonicClock
from realtime.errors import DeviceError
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk

BLOCK = SAMPLE_RATE // 100
"""Samples the device hands over at a time: 10 ms."""
BACKLOG = 20
"""Blocks that may wait for the loop; more are lost, the oldest first, and leave a gap that the chunker counts."""
SILENCE_S = 1.0
"""Seconds without a block after which a device is lost, whatever the sound system says."""
DROP_S = 0.5
"""Seconds that stopping a device may take; it takes a block."""
RETRY_S = 0.5
"""Seconds from one look for a lost device to the next."""


class MicrophoneSource:
    """Listens to a device from the moment that `chunks` is iterated until `close`.

    A device that is unplugged is looked for until it is back. Time goes on meanwhile: every 10 ms an empty chunk tells
    that as much sound was lost, so the face lives on and the chunker counts what it fills with silence.
    """

    def __init__(self, device: int | str | None = None, clock: Clock | None = None) -> None:
        """Check that there is such a device.

        Args:
            device: its number or part of its name; None is the system's default.
            clock: measures how long a device is away.

        Raises:
            DeviceError: there is no such microphone, or no sound system.
        """
        self._device = sound_system.device(device)
        self._clock = clock or MonotonicClock()
        try:
            import sounddevice

            self._sounddevice = sounddevice
            sounddevice.check_input_settings(self._device, channels=1, dtype="float32", samplerate=SAMPLE_RATE)
        except sound_system.failures() as error:
            raise self._refused(error) from error
        self._stream: Any = None
        self._blocks: Mailbox[AudioChunk] | None = None
        self._heard = 0
        self._last = 0.0
        self._closed = False

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        self._open(loop)
        while not self._closed:
            async for block in self._presence():
                yield block
            async for gap in self._absence(loop):
                yield gap

    def close(self) -> None:
        self._closed = True
        if self._blocks is not None:
            self._blocks.close()

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        blocks: Mailbox[AudioChunk] = Mailbox(BACKLOG, Overflow.KEEP_NEWEST)

        def copy(block: np.ndarray[Any, Any], frames: int, time: object, status: object) -> None:
            """Runs in the sound system's thread: takes a copy and leaves."""
            loop.call_soon_threadsafe(blocks.offer, AudioChunk(block[:, 0].copy(), self._heard))
            self._heard += frames

        def finish() -> None:
            """It was unplugged."""
            loop.call_soon_threadsafe(blocks.close)

        try:
            stream = self._sounddevice.InputStream(
                SAMPLE_RATE,
                BLOCK,
                self._device,
                channels=1,
                dtype="float32",
                latency="low",
                callback=copy,
                finished_callback=finish,
            )
            stream.start()
        except sound_system.failures() as error:
            raise self._refused(error) from error
        self._stream, self._blocks = stream, blocks

    async def _presence(self) -> AsyncIterator[AudioChunk]:
        """What is heard until the device is gone."""
        assert self._blocks is not None
        self._last = self._clock.now()
        end = self._stream.stop
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    block = await anext(self._blocks, None)
                if block is None:
                    return
                self._last = self._clock.now()
                yield block
        except TimeoutError:
            end = self._stream.abort
        finally:
            _drop(end, self._stream.close)

    async def _absence(self, loop: asyncio.AbstractEventLoop) -> AsyncIterator[AudioChunk]:
        """Gaps in step with the clock until the device is back."""
        before = self._heard
        search = asyncio.create_task(self._search(loop))
        try:
            while not (self._closed or search.done()):
                await self._clock.sleep_until(self._last + (self._heard + BLOCK - before) / SAMPLE_RATE)
                self._heard += BLOCK
                yield AudioChunk(np.zeros(0, np.float32), self._heard)
        finally:
            search.cancel()

    async def _search(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now() + RETRY_S)
            with suppress(DeviceError):
                await asyncio.to_thread(self._open_again, loop)
                return

    def _open_again(self, loop: asyncio.AbstractEventLoop) -> None:
        sound_system.look_again(self._sounddevice)
        self._open(loop)

    def _refused(self, error: Exception) -> DeviceError:
        name = "the default microphone" if self._device is None else f"the microphone {self._device!r}"
        return DeviceError(f"Cannot listen to {name} ({error}): {sound_system.advice(error)}.")


def _drop(end: Callable[[bool], None], close: Callable[[bool], None]) -> None:
    """Stop and close a stream. A system that waits for a block that never comes is left alone with it."""

    def drop() -> None:
        end(True)  # whatever the errors
        close(True)

    thread = threading.Thread(target=drop, daemon=True)
    thread.start()
    thread.join(DROP_S)
