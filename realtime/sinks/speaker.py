"""The sink that plays the voice with the picture: each frame's sound from the moment the frame is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from realtime import sound_system
from realtime.errors import DeviceError, SinkLost
from realtime.media import SAMPLE_RATE, AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.playout import PlayoutBuffer

BLOCK = SAMPLE_RATE // 100
"""Samples that the device takes at a time: 10 ms."""


class Speaker:
    """Plays into any output: a virtual cable that a call listens to, a loudspeaker.

    The delay is that of the picture, because sound comes with its picture; there is nothing to set.
    """

    def __init__(self, device: int | str | None = None) -> None:
        """Check that there is such a device.

        Args:
            device: its number or part of its name; None is the system's default.

        Raises:
            DeviceError: there is no such output, or no sound system.
        """
        self._device = sound_system.device(device)
        try:
            import sounddevice

            self._sounddevice = sounddevice
            sounddevice.check_output_settings(self._device, channels=1, dtype="float32", samplerate=SAMPLE_RATE)
        except sound_system.failures() as error:
            raise self._refused(error) from error
        self._buffer = PlayoutBuffer()
        self._stream: Any = None
        self._gone = False

    async def open(self, spec: StreamSpec) -> None:
        try:
            self._stream = self._sounddevice.OutputStream(
                SAMPLE_RATE,
                BLOCK,
                self._device,
                channels=1,
                dtype="float32",
                latency="low",
                callback=self._play,
                finished_callback=self._finished,
            )
            self._stream.start()
        except sound_system.failures() as error:
            raise self._refused(error) from error
        sound_system.playing(self, True)

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        if self._gone:
            raise SinkLost("The output that played the voice is gone.")
        self._buffer.push(sound)

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._stream is not None:
            self._stream.close()
        sound_system.playing(self, False)

    def _play(self, out: np.ndarray[Any, Any], frames: int, time: object, status: object) -> None:
        """Runs in the sound system's thread."""
        out[:, 0] = self._buffer.pull(frames)

    def _finished(self) -> None:
        self._gone = True

    def _refused(self, error: Exception) -> DeviceError:
        name = "the default output" if self._device is None else f"the output {self._device!r}"
        return DeviceError(f"Cannot play to {name} ({error}): {sound_system.advice(error)}.")
