"""The sink that other programs on Linux hear as a microphone: a PulseAudio or PipeWire source fed through a pipe.

Each frame's sound is written when the frame is shown, so picture and voice reach a call at the same moment.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from realtime.errors import DeviceError
from realtime.media import SAMPLE_RATE, AudioChunk, StreamSpec, VideoFrame

NAME = "marotte"
MOST_WAITING = SAMPLE_RATE * 2 * 100 // 1000
"""Bytes in the pipe, 100 ms, from which on nobody listens: they are thrown away, lest a call hears old sound."""


class VirtualMicrophone:
    """Exists from `open` until the end of the stream."""

    def __init__(self) -> None:
        """Check that there is a way to make one.

        Raises:
            DeviceError: PulseAudio's or PipeWire's `pactl` is not installed.
        """
        if sys.platform != "linux" or shutil.which("pactl") is None:
            raise DeviceError(
                "A virtual microphone needs PulseAudio or PipeWire and its command pactl (Debian and Ubuntu: package "
                "pulseaudio-utils). Elsewhere install a virtual cable and name it with --voice-out."
            )
        self._module: str | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pipe: int | None = None

    async def open(self, spec: StreamSpec) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="marotte-")
        fifo = Path(self._folder.name) / "voice"
        try:
            self._module = await asyncio.to_thread(_load, fifo)
            self._pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)  # for reading too, so that it is never broken
        except BaseException:
            self.abort()
            raise

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        import fcntl
        import termios

        assert self._pipe is not None, "open() comes first"
        waiting = struct.unpack("i", fcntl.ioctl(self._pipe, termios.FIONREAD, b"    "))[0]
        with suppress(BlockingIOError):  # a full pipe: nobody listens
            if waiting > MOST_WAITING:
                os.read(self._pipe, waiting)
            os.write(self._pipe, (np.clip(sound.samples, -1, 1) * 32767).astype("<i2").tobytes())

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._module is not None:
            subprocess.run(["pactl", "unload-module", self._module], capture_output=True, timeout=2, check=False)
            self._module = None
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._folder is not None:
            self._folder.cleanup()


def _load(fifo: Path) -> str:
    """Make the source, after removing what a killed process left behind; returns the module's number."""
    for line in _pactl("list", "short", "modules").splitlines():
        if f"source_name={NAME} " in line:
            _pactl("unload-module", line.split("\t")[0])
    return _pactl(
        "load-module",
        "module-pipe-source",
        f"source_name={NAME}",
        f"file={fifo}",
        f"rate={SAMPLE_RATE}",
        "format=s16le",
        "channels=1",
        "source_properties=device.description=Marotte",
    ).strip()


def _pactl(*words: str) -> str:
    try:
        return subprocess.run(["pactl", *words], capture_output=True, text=True, timeout=5, check=True).stdout
    except subprocess.SubprocessError as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        advice = "start PulseAudio or PipeWire, or use --voice-out"
        raise DeviceError(f"The virtual microphone cannot be made ({told}): {advice}.") from error
