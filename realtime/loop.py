"""The loop: a voice in, pictures out, in one task group that starts, runs, drains and stops as a whole.

    source ─► chunker ─► [drives] ─► animator ─► [drawn] ─► pacer ─► [lane] ─► sink
                                     in its own                  └─► [lane] ─► sink
                                     thread

[…] are mailboxes. A file is rendered without a pacer, with mailboxes that make the writer wait: nothing is lost, and
it goes as fast as the slowest stage. A live stream runs in real time: neither the source nor the pacer ever waits for
what comes after it, because the mailboxes there keep the newest. A picture that is left out leaves its sound to the
next one, so that the sound has no holes.

A source that is flushed begins a new generation. Whatever is older, drawn or not, is then left out wherever it is met,
with its sound; the animator begins anew, and the pacer shows its first picture at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np

from realtime.chunker import Chunker, Drive
from realtime.clock import Clock, MonotonicClock, samples_before
from realtime.errors import SinkLost
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk, StreamSpec, VideoFrame
from realtime.pacer import Drop, Pacer
from realtime.ports import Animator, AudioSource, State, VideoSink
from realtime.telemetry import Telemetry

LIVE_BACKLOG = Fraction(3, 10)
"""Seconds of sound that may wait for the animator in a live stream."""
CARRIED_SOUND = SAMPLE_RATE
"""Samples of sound at most that pictures left out may leave to the next one."""
BACKLOG = 4
"""Frames that may wait in each other mailbox."""


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A frame whose sound has come."""

    drive: Drive
    sound: AudioChunk
    at: float
    """When its last sample came (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A frame that can be shown."""

    frame: VideoFrame
    sound: AudioChunk
    at: float
    """When the frame's first sample came (s); estimated from when its last one did."""
    ready: float
    """When the frame was drawn (s)."""


_Item = TypeVar("_Item", _Heard, _Drawn)


@dataclass(slots=True)
class _Lane:
    """A sink with its mailbox."""

    sink: VideoSink
    name: str
    mailbox: Mailbox[_Drawn]


async def run(
    source: AudioSource,
    animator: Animator[State],
    sinks: Sequence[VideoSink],
    *,
    live: bool,
    clock: Clock | None = None,
    telemetry: Telemetry | None = None,
) -> Telemetry:
    """Animate a voice until it ends, all sinks are lost, or the task is cancelled.

    To stop early and keep what has been shown, call `source.close()`; to throw it away, cancel.

    Args:
        source: the voice. It is closed in the end, whatever happens.
        animator: its steps run one after the other in one thread of their own.
        sinks: at least one. They are closed when the voice ends, aborted when anything fails.
        live: in real time, or as fast as possible without losing a frame.
        clock: of a live stream; tests make their own time.
        telemetry: where times and losses are counted.

    Returns:
        The telemetry.

    Raises:
        InputError: the source or a sink cannot be used.
        SinkLost: the last sink is lost.
    """
    clock = clock or MonotonicClock()
    telemetry = telemetry or Telemetry(clock)
    try:
        await _Stream(source, animator, sinks, live, clock, telemetry).run()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        source.close()
    return telemetry


def _first(error: BaseException) -> BaseException:
    """The first error inside nested groups: one cause, one sentence."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class _Stream(Generic[State]):
    """One run of the loop."""

    def __init__(
        self,
        source: AudioSource,
        animator: Animator[State],
        sinks: Sequence[VideoSink],
        live: bool,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._source = source
        self._animator = animator
        self._live = live
        self._clock = clock
        self._telemetry = telemetry
        self._generation = 0
        self._flushed: float | None = None
        self._spec = StreamSpec(animator.width, animator.height, animator.fps)
        self._drives: Mailbox[_Heard] = self._mailbox(int(LIVE_BACKLOG * animator.fps) + 1)
        self._drawn: Mailbox[_Drawn] = Mailbox(BACKLOG, Overflow.BLOCK)
        self._lanes = [_Lane(sink, type(sink).__name__, self._mailbox(1)) for sink in sinks]

    def _mailbox(self, live_capacity: int) -> Mailbox[_Item]:
        if self._live:
            return Mailbox(live_capacity, Overflow.KEEP_NEWEST, self._leave_sound)
        return Mailbox(BACKLOG, Overflow.BLOCK)

    async def run(self) -> None:
        opened: list[VideoSink] = []
        with ThreadPoolExecutor(1, "animator") as worker:
            try:
                for lane in self._lanes:
                    await lane.sink.open(self._spec)
                    opened.append(lane.sink)
                if self._live:
                    await self._warm_up(worker)
                async with asyncio.TaskGroup() as group:
                    for lane in self._lanes:
                        group.create_task(self._feed(lane, opened))
                    group.create_task(self._present())
                    group.create_task(self._animate(worker))
                    group.create_task(self._listen())
                while opened:
                    await opened[0].close()
                    del opened[0]
            except BaseException:
                for sink in opened:
                    sink.abort()
                raise
        self._sum_up()

    async def _warm_up(self, worker: ThreadPoolExecutor) -> None:
        """Draw one frame for nobody, so that compiling and first touches do not delay the voice."""
        silence = np.zeros(samples_before(1, self._spec.fps) + self._animator.look_ahead, np.float32)
        started = self._clock.now()
        state = self._animator.initial_state()
        await asyncio.get_running_loop().run_in_executor(worker, self._animator.step, silence, state)
        self._telemetry.note("warm_up_s", self._clock.now() - started)

    async def _listen(self) -> None:
        chunker = Chunker(self._spec.fps, self._animator.look_ahead)
        async for chunk in self._source.chunks():
            now = self._clock.now()
            if chunk.generation > self._generation:
                self._generation, self._flushed = chunk.generation, now
            for drive in chunker.push(chunk):
                await self._drives.put(_Heard(drive, drive.sound, now))
        for drive in chunker.flush():
            await self._drives.put(_Heard(drive, drive.sound, self._clock.now()))
        self._telemetry.count("samples_filled_with_silence", chunker.filled)
        self._drives.close()

    async def _animate(self, worker: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        state = self._animator.initial_state()
        pictures = generation = 0
        span = float(1 / self._spec.fps) + self._animator.look_ahead / SAMPLE_RATE
        async for heard in self._drives:
            if self._outdated(heard):
                continue
            if heard.sound.generation > generation:
                generation = heard.sound.generation
                state = self._animator.initial_state(pictures)
            pictures += 1
            started = self._clock.now()
            if self._live:
                self._telemetry.record("wait", started - heard.at)
            pixels, state = await loop.run_in_executor(worker, self._animator.step, heard.drive.samples, state)
            ready = self._clock.now()
            self._telemetry.record("animate", ready - started)
            frame = VideoFrame(pixels, heard.drive.number)
            await self._drawn.put(_Drawn(frame, heard.sound, heard.at - span, ready))
        self._drawn.close()

    async def _present(self) -> None:
        pacer = Pacer(self._spec.fps) if self._live else None
        late: _Drawn | None = None
        generation = 0
        async for drawn in self._drawn:
            if self._outdated(drawn):
                continue
            if late is not None:
                drawn, late = self._leave_sound(late, drawn), None
            if pacer is not None:
                if drawn.sound.generation > generation:
                    pacer.restart()
                generation = drawn.sound.generation
                decision = pacer.decide(drawn.frame.number, drawn.ready)
                if isinstance(decision, Drop):
                    self._telemetry.count("frames_dropped_late")
                    late = drawn
                    continue
                await self._clock.sleep_until(decision.due)
                if self._outdated(drawn):
                    continue
                if self._flushed is not None:
                    self._telemetry.record("flush", self._clock.now() - self._flushed)
                    self._flushed = None
                self._telemetry.record("pace", self._clock.now() - drawn.ready)
                self._telemetry.record("delay", self._clock.now() - drawn.at)
            if drawn.frame.number == 0:
                self._telemetry.note("first_frame_s", self._telemetry.since_start())
            self._telemetry.count("frames")
            for lane in self._lanes:
                await lane.mailbox.put(drawn)
        for lane in self._lanes:
            lane.mailbox.close()

    async def _feed(self, lane: _Lane, opened: list[VideoSink]) -> None:
        """Show what is in a sink's mailbox. A lost sink is taken out; the last one to be lost ends the stream."""
        try:
            async for drawn in lane.mailbox:
                if self._outdated(drawn):
                    continue
                with self._telemetry.measure(f"show_{lane.name}"):
                    await lane.sink.show(drawn.frame, drawn.sound)
        except SinkLost:
            self._telemetry.count(f"lost_{lane.name}")
            lane.mailbox.close()
            lane.sink.abort()
            opened.remove(lane.sink)
            if not opened:
                raise

    def _leave_sound(self, lost: _Item, following: _Item) -> _Item:
        """What takes the place of `following` when the frame before it is left out."""
        if lost.sound.generation < following.sound.generation:
            return following
        sound = lost.sound.followed_by(following.sound)
        self._telemetry.count("samples_lost", max(0, len(sound.samples) - CARRIED_SOUND))
        return replace(following, sound=sound.last(CARRIED_SOUND))

    def _outdated(self, item: _Heard | _Drawn) -> bool:
        """Whether an item was queued before the source was flushed; it is then to be left out, and counted."""
        outdated = item.sound.generation < self._generation
        self._telemetry.count("frames_flushed", int(outdated))
        return outdated

    def _sum_up(self) -> None:
        self._telemetry.note("elapsed_s", self._telemetry.since_start())
        self._telemetry.count("frames_dropped_undrawn", self._drives.lost)
        for lane in self._lanes:
            self._telemetry.count(f"frames_dropped_{lane.name}", lane.mailbox.lost)
