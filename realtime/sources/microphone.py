"""The voice at a microphone, in blocks of 10 ms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from realtime.errors import DeviceError
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk

BLOCK = SAMPLE_RATE // 100
"""Samples the device hands over at a time: 10 ms."""
BACKLOG = 20
"""Blocks that may wait for the loop; more are lost, the oldest first, and leave a gap that the chunker counts."""


class MicrophoneSource:
    """Listens to a device from the moment that `chunks` is iterated until `close`."""

    def __init__(self, device: int | str | None = None) -> None:
        """Check that there is such a device.

        Args:
            device: its number or part of its name; None is the system's default.

        Raises:
            DeviceError: there is no such microphone, or no sound system.
        """
        try:
            import sounddevice

            self._sounddevice = sounddevice
            sounddevice.check_input_settings(device, channels=1, dtype="float32", samplerate=SAMPLE_RATE)
        except _failures() as error:
            raise _refused(device, error) from error
        self._device = device
        self._blocks: Mailbox[AudioChunk] | None = None
        self._closed = False

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        blocks: Mailbox[AudioChunk] = Mailbox(BACKLOG, Overflow.KEEP_NEWEST)
        self._blocks = blocks
        heard = 0

        def copy(block: np.ndarray[Any, Any], frames: int, time: object, status: object) -> None:
            """Runs in the sound system's thread: takes a copy and leaves."""
            nonlocal heard
            loop.call_soon_threadsafe(blocks.offer, AudioChunk(block[:, 0].copy(), heard))
            heard += frames

        try:
            stream = self._sounddevice.InputStream(
                SAMPLE_RATE,
                BLOCK,
                self._device,
                channels=1,
                dtype="float32",
                latency="low",
                callback=copy,
                finished_callback=lambda: loop.call_soon_threadsafe(blocks.close),  # it was unplugged
            )
        except _failures() as error:
            raise _refused(self._device, error) from error
        with stream:
            async for block in blocks:
                yield block

    def close(self) -> None:
        self._closed = True
        if self._blocks is not None:
            self._blocks.close()


def _failures() -> tuple[type[Exception], ...]:
    """What sounddevice raises: OSError without its library, ValueError for unknown names, else an error of its own."""
    try:
        from sounddevice import PortAudioError
    except OSError:
        return (OSError,)
    return (OSError, ValueError, PortAudioError)


def _refused(device: int | str | None, error: Exception) -> DeviceError:
    name = "the default microphone" if device is None else f"the microphone {device!r}"
    return DeviceError(f"Cannot listen to {name} ({error}): plug one in and allow its use, or choose another.")
