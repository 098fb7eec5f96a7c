"""Consumers in our own process: the device boundary itself, and the virtual camera, fed by a stand-in for a sound card.

Where the system has a virtual camera, OpenCV reads it as a call would. Elsewhere all is real but the driver: a backend
of pyvirtualcam takes the picture that the driver would be given.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime import loop
from realtime.bench.bad_network import BadNetwork
from realtime.bench.capture import PacedCapture
from realtime.bench.rehearsal import PhasedTelemetry, Rehearsal
from realtime.bench.witness import Recording, Witness
from realtime.clock import Clock
from realtime.media import AudioChunk, Samples, VideoFrame
from realtime.ports import VideoSink
from realtime.sinks.null import NullSink
from realtime.sinks.virtual_camera import VirtualCamera


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What a run needs, wherever the pictures go."""

    rehearsal: Rehearsal
    voice: Samples
    telemetry: PhasedTelemetry
    clock: Clock
    thumbs: bool
    """Whether the consumer keeps small pictures."""
    sound: bool
    """Whether a consumer elsewhere gets the voice back, matched to the picture."""
    network: BadNetwork | None = None
    """What a consumer elsewhere is behind, if that is to be bad at times."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What a consumer reports; see `realtime.bench.figures.Outcome`."""

    witness: Witness
    captured: Recording
    returned: Recording | None


class _WitnessSink(NullSink):
    """The device boundary: notes what comes there, and when."""

    def __init__(self, clock: Clock, thumbs: bool) -> None:
        self.witness = Witness()
        self.sound: list[Samples] = []
        self.starts: list[int] = []
        self.times: list[float] = []
        self._clock = clock
        self._thumbs = thumbs

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        self.times.append(self._clock.now())
        self.witness.look(frame.pixels[:, :, 1], self._clock, self._thumbs)
        self.sound.append(sound.samples)
        self.starts.append(sound.start)


async def null(stage: Stage) -> Observed:
    """Look at the boundary itself."""
    sink = _WitnessSink(stage.clock, stage.thumbs)
    captured = await _perform(stage, sink)
    returned = Recording.stamped(np.concatenate(sink.sound), np.array(sink.starts), np.array(sink.times))
    return Observed(sink.witness, captured, returned)


async def camera(stage: Stage) -> Observed:
    """Look at the virtual camera.

    Raises:
        DeviceError: pyvirtualcam is not installed.
    """
    witness = Witness()
    reader = _Reader(stage, witness)
    sink = VirtualCamera(announce=reader.begin)
    pyvirtualcam = importlib.import_module("pyvirtualcam")
    pyvirtualcam.register_backend(_Driver.NAME, partial(_Driver, stage, witness))
    try:
        captured = await _perform(stage, sink)
    finally:
        reader.end()
    return Observed(witness, captured, None)


class _Reader:
    """A program that shows the camera, in a thread."""

    def __init__(self, stage: Stage, witness: Witness) -> None:
        self._stage = stage
        self._witness = witness
        self._ending = Event()
        self._thread: Thread | None = None

    def begin(self, device: str) -> None:
        """Read the camera, unless it is our own driver, which needs nobody to look."""
        if device != _Driver.NAME:
            self._thread = Thread(target=self._read, args=(device,), name="camera reader")
            self._thread.start()

    def end(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _read(self, device: str) -> None:
        camera = cv2.VideoCapture(device)
        while not self._ending.is_set():
            found, picture = camera.read()
            if found:
                self._witness.look(np.asarray(picture[:, :, 1], np.uint8), self._stage.clock, self._stage.thumbs)
            elif not camera.isOpened() and not self._ending.wait(0.01):  # some come with their first picture only
                camera.open(device)
        camera.release()


class _Driver:
    """A backend of pyvirtualcam (its interface: `pyvirtualcam.camera.Backend`)."""

    NAME = "benchmark"

    def __init__(self, stage: Stage, witness: Witness, *, width: int, height: int, **options: object) -> None:
        self._stage = stage
        self._witness = witness
        self._size = height, width

    def send(self, frame: NDArray[np.uint8]) -> None:
        height, width = self._size
        luma = frame[: height * width].reshape(height, width)
        self._witness.look(luma, self._stage.clock, self._stage.thumbs)

    def close(self) -> None:
        pass

    def device(self) -> str:
        return self.NAME

    def native_fourcc(self) -> None:
        return None


async def _perform(stage: Stage, sink: VideoSink) -> Recording:
    source = PacedCapture(stage.voice, stage.clock)
    await loop.run(source, stage.rehearsal, [sink], live=True, clock=stage.clock, telemetry=stage.telemetry)
    assert source.origin is not None
    return Recording(stage.voice, source.origin)
