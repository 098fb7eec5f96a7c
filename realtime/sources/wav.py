"""The voice in a file: whatever PyAV can read that has sound, at any rate, with any number of channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np

from realtime.clock import Clock
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE, AudioChunk, Samples
from realtime.sources.resample import MonoResampler

BLOCK = SAMPLE_RATE // 100
"""Samples of a block in real time: 10 ms, like a microphone's."""


class WavSource:
    """Reads a file as fast as it is asked or, given a clock, in real time."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Open a file and read its first samples.

        Args:
            path: an audio or video file.
            clock: paces the sound in blocks of 10 ms that end when they would have been heard.

        Raises:
            InputError: there is no such file, it cannot be read, or it has no sound.
        """
        self._clock = clock
        self._closed = False
        self._samples = _read(path)
        self.seconds = _seconds(path)
        """How long the sound is, by what the file says of itself; None if it says nothing."""
        first = next(self._samples, None)
        if first is None:
            raise InputError(f"{path} has no sound in it: its audio stream is empty.")
        self._first: Samples = first

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        blocks = self._read_ahead() if self._clock is None else self._paced(self._clock)
        async for chunk in blocks:
            if self._closed:
                return
            yield chunk

    def close(self) -> None:
        self._closed = True

    async def _read_ahead(self) -> AsyncIterator[AudioChunk]:
        """Pieces of some seconds, each decoded in a thread."""
        start = 0
        piece = self._first
        while len(piece):
            yield AudioChunk(piece, start)
            start += len(piece)
            piece = await asyncio.to_thread(self._next_piece)

    def _next_piece(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *islice(self._samples, 64)])

    async def _paced(self, clock: Clock) -> AsyncIterator[AudioChunk]:
        origin = clock.now()
        waiting = np.zeros(0, np.float32)
        start = 0
        async for chunk in self._read_ahead():
            waiting = np.concatenate([waiting, chunk.samples])
            whole = len(waiting) // BLOCK * BLOCK
            for at in range(0, whole, BLOCK):
                await clock.sleep_until(origin + (start + BLOCK) / SAMPLE_RATE)
                yield AudioChunk(waiting[at : at + BLOCK], start)
                start += BLOCK
            waiting = waiting[whole:]
        await clock.sleep_until(origin + (start + len(waiting)) / SAMPLE_RATE)
        yield AudioChunk(waiting, start)


def _seconds(path: Path) -> float | None:
    import av

    with suppress(av.FFmpegError, OSError), av.open(str(path)) as container:
        return container.duration / av.time_base if container.duration else None
    return None


def _read(path: Path) -> Iterator[Samples]:
    """The samples of a file, in pieces of at least one.

    Raises:
        InputError: see `WavSource`.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path} has no sound: it holds no audio stream.")
            resampler = MonoResampler()
            for frame in container.decode(audio=0):
                if len(samples := resampler.push(frame)):
                    yield samples
            if len(samples := resampler.flush()):
                yield samples
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path} cannot be read as sound: {error.strerror or error}.") from error
