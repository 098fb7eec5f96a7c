"""The sink that writes an MP4 file: H.264 and AAC, the index in front, the first sample with the first picture.

The file grows under a temporary name beside the target and takes the target's name when it is complete.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from realtime.errors import InputError, SinkLost
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.mp4 import Mp4Writer

T = TypeVar("T")

SUFFIXES = (".mp4", ".m4v", ".mov")


class VideoFile:
    """Writes pictures with their sound, or with the sound of another file in its own quality."""

    _GROWS = False

    def __init__(self, path: Path, sound: Path | None = None) -> None:
        """Check that the file can be written; nothing is made yet.

        Args:
            path: the file to write, with one of `SUFFIXES`. A file of that name is replaced in the end.
            sound: the file that the voice came from. Its sound is kept, mono or stereo, at its own rate up to 48 kHz.

        Raises:
            InputError: the file cannot be written.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path} does not end in .mp4, the only kind of video that is written.")
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a file to write.")
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{path} cannot be written: you may not write in the folder {path.parent}.")
        if sound is not None and path.exists() and path.samefile(sound):
            raise InputError(f"{path} holds the voice itself: choose another name for the video.")
        self._path = path
        self._sound = sound
        self._growing = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._writer: Mp4Writer | None = None
        self._thread = ThreadPoolExecutor(1, "video-file")

    async def open(self, spec: StreamSpec) -> None:
        try:
            self._writer = await self._do(lambda: Mp4Writer(self._growing, spec, self._sound, self._GROWS))
        except OSError as error:
            self.abort()
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}.") from error
        except BaseException:
            self.abort()
            raise

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        await self._write(lambda writer: writer.write(frame, sound))

    async def close(self) -> None:
        await self._write(self._finish)
        self._thread.shutdown()

    def abort(self) -> None:
        self._thread.shutdown()  # waits for the frame that is being written
        if self._writer is not None:
            self._writer.discard()
        with suppress(OSError):
            self._growing.unlink()

    def _finish(self, writer: Mp4Writer) -> None:
        writer.finish()
        self._growing.replace(self._path)

    async def _write(self, action: Callable[[Mp4Writer], None]) -> None:
        writer = self._writer
        assert writer is not None, "open() comes first"
        try:
            await self._do(lambda: action(writer))
        except OSError as error:  # PyAV's errors are OSErrors too
            raise SinkLost(f"{self._path} could not be written to its end: {error.strerror or error}.") from error

    async def _do(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, action)
