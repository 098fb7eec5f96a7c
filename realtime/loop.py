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
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Generic

import numpy as np

from realtime.chunker import Chunker
from realtime.clock import Clock, MonotonicClock, samples_before
from realtime.hand_over import BACKLOG, Drawn, HandOver, Heard
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, StreamSpec, VideoFrame
from realtime.pacer import Pacer
from realtime.ports import Animator, AudioSource, State, VideoSink
from realtime.presenter import Presenter
from realtime.telemetry import Telemetry

LATE = Fraction(3, 50)
"""Seconds of sound that may wait for the animator in a live stream; with more, it hears without drawing."""
LIVE_BACKLOG = Fraction(1)
"""Seconds of sound that can wait for the animator while a picture takes long."""
SWITCH_S = 1e-4
"""Seconds after which a thread that computes in Python gives way to one of ours. A frame takes the interpreter's lock
ten times and more: with Python's own 5 ms any busy thread (a second puppet being prepared) would stop a stream."""


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
    if live:
        sys.setswitchinterval(SWITCH_S)  # the process's, so it stays: other streams may run when this one ends
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
        self._spec = StreamSpec(animator.width, animator.height, animator.fps)
        self._hand_over = HandOver(live, telemetry)
        self._drives: Mailbox[Heard] = self._hand_over.mailbox(int(LIVE_BACKLOG * animator.fps) + 1)
        self._drawn: Mailbox[Drawn] = Mailbox(BACKLOG, Overflow.BLOCK)
        pacer = Pacer(animator.fps) if live else None
        self._presenter = Presenter(sinks, pacer, clock, telemetry, self._hand_over)

    async def run(self) -> None:
        lanes, opened = self._presenter.lanes, self._presenter.opened
        with ThreadPoolExecutor(1, "animator") as worker:
            try:
                for lane in lanes:
                    await lane.sink.open(self._spec)
                    opened.append(lane.sink)
                if self._live:
                    await self._warm_up(worker)
                async with asyncio.TaskGroup() as group:
                    for lane in lanes:
                        group.create_task(self._presenter.feed(lane))
                    group.create_task(self._presenter.present(self._drawn))
                    group.create_task(self._animate(worker))
                    group.create_task(self._listen())
                while opened:
                    await opened[0].close()
                    del opened[0]
            except BaseException:
                for sink in opened:
                    sink.abort()
                raise
        self._telemetry.note("elapsed_s", self._telemetry.since_start())
        self._telemetry.count("frames_dropped_undrawn", self._drives.lost)
        self._presenter.sum_up()

    async def _warm_up(self, worker: ThreadPoolExecutor) -> None:
        """Draw one frame for nobody, so that compiling and first touches do not delay the voice."""
        silence = np.zeros(samples_before(1, self._spec.fps) + max(0, self._animator.look_ahead), np.float32)
        started = self._clock.now()
        state = self._animator.initial_state()
        await asyncio.get_running_loop().run_in_executor(worker, self._animator.step, silence, state)
        self._telemetry.note("warm_up_s", self._clock.now() - started)

    async def _listen(self) -> None:
        chunker = Chunker(self._spec.fps, self._animator.look_ahead)
        async for chunk in self._source.chunks():
            now = self._clock.now()
            if chunk.generation > self._hand_over.generation:
                self._hand_over.generation = chunk.generation
                self._presenter.flushed(now)
            for drive in chunker.push(chunk):
                await self._drives.put(Heard(drive, drive.sound, now))
        ended = self._clock.now()
        for number, drive in enumerate(chunker.flush()):
            if self._live:  # at the pace of the sound that does not come any more
                await self._clock.sleep_until(ended + float(number / self._spec.fps))
            await self._drives.put(Heard(drive, drive.sound, self._clock.now()))
        self._telemetry.count("samples_filled_with_silence", chunker.filled)
        self._drives.close()

    async def _animate(self, worker: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        state = self._animator.initial_state()
        pictures = generation = 0
        late: Heard | None = None
        span = float(1 / self._spec.fps) + self._animator.look_ahead / SAMPLE_RATE
        async for heard in self._drives:
            if self._hand_over.is_flushed(heard):
                continue
            if heard.sound.generation > generation:
                generation = heard.sound.generation
                state = self._animator.initial_state(pictures)
            pictures += 1
            if late is not None:
                heard, late = self._hand_over.leave_sound(late, heard), None
            if self._live and len(self._drives) > LATE * self._spec.fps:
                self._telemetry.count("frames_dropped_undrawn")
                state = await loop.run_in_executor(worker, self._animator.hear, heard.drive.samples, state)
                late = heard
                continue
            started = self._clock.now()
            if self._live:
                self._telemetry.record("wait", started - heard.at)
            pixels, state = await loop.run_in_executor(worker, self._animator.step, heard.drive.samples, state)
            ready = self._clock.now()
            self._telemetry.record("animate", ready - started)
            frame = VideoFrame(pixels, heard.drive.number)
            await self._drawn.put(Drawn(frame, heard.sound, heard.at - span, ready))
        self._drawn.close()
