"""Consumers in our own process: the null sink and the virtual camera, fed by a stand-in for a sound card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realtime import loop
from realtime.bench.capture import PacedCapture
from realtime.bench.rehearsal import PhasedTelemetry, Rehearsal
from realtime.bench.witness import Recording, Witness
from realtime.clock import Clock
from realtime.media import AudioChunk, Samples, VideoFrame
from realtime.ports import VideoSink
from realtime.sinks.null import NullSink


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What a run needs, wherever the pictures go."""

    rehearsal: Rehearsal
    voice: Samples
    telemetry: PhasedTelemetry
    clock: Clock
    thumbs: bool
    """Whether the consumer keeps small pictures."""


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


async def _perform(stage: Stage, sink: VideoSink) -> Recording:
    source = PacedCapture(stage.voice, stage.clock)
    await loop.run(source, stage.rehearsal, [sink], live=True, clock=stage.clock, telemetry=stage.telemetry)
    assert source.origin is not None
    return Recording(stage.voice, source.origin)
