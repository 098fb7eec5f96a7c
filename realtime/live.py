"""A live stream that a person started at a terminal: it runs until the voice ends or somebody stops it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realtime import loop
from realtime.clock import Clock
from realtime.ports import Animator, VideoSink
from realtime.sources.mute import MuteSwitch
from realtime.status_line import status_line
from realtime.telemetry import Telemetry

STOP = (signal.SIGINT, signal.SIGTERM)
MUTE = getattr(signal, "SIGUSR1", None)
"""Mutes the voice and lets it be heard again; so a key of the desktop can do it. Windows has no such signal."""


def voice(file: Path | None, microphone: str | None, clock: Clock, telemetry: Telemetry) -> MuteSwitch:
    """The voice in a file, in real time, or at a microphone (name or number; the default one if None).

    Raises:
        InputError: the file or the device cannot be used.
    """
    from realtime.sources.microphone import MicrophoneSource
    from realtime.sources.wav import WavSource

    return MuteSwitch(WavSource(file, clock) if file else MicrophoneSource(microphone, clock), telemetry)


def sound_sinks(output: str | None, virtual_microphone: bool, recording: Path | None) -> list[VideoSink]:
    """What takes the voice with its picture: an output (name or number), a virtual microphone, a recording.

    Raises:
        InputError: one of them cannot be used.
    """
    sinks: list[VideoSink] = []
    if output is not None:
        from realtime.sinks.speaker import Speaker

        sinks.append(Speaker(output))
    if virtual_microphone:
        from realtime.sinks.virtual_microphone import VirtualMicrophone

        sinks.append(VirtualMicrophone())
    if recording is not None:
        from realtime.sinks.recording import Recording

        sinks.append(Recording(recording))
    return sinks


async def perform(
    source: MuteSwitch, animator: Animator[Any], sinks: Sequence[VideoSink], telemetry: Telemetry, clock: Clock
) -> None:
    """Run a live stream, with a line about it on the terminal.

    Ctrl-C and SIGTERM end it in order: sinks are closed. `MUTE` mutes it.

    Raises:
        InputError, SinkLost: see `loop.run`.
    """
    with _signals(source):
        async with status_line(telemetry, clock):
            await loop.run(source, animator, sinks, live=True, clock=clock, telemetry=telemetry)


@contextmanager
def _signals(voice: MuteSwitch) -> Iterator[None]:
    """End the voice at the first signal; a second one does what it always does."""
    running = asyncio.get_running_loop()
    numbers = [*STOP, *([MUTE] if MUTE else [])]
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def heard(number: int, frame: object) -> None:
        if number == MUTE:
            running.call_soon_threadsafe(voice.toggle)
            return
        restore()
        running.call_soon_threadsafe(voice.close)

    for number in numbers:
        signal.signal(number, heard)
    try:
        yield
    finally:
        restore()
