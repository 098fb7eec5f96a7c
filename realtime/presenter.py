"""The presenter: drawn frames to the sinks, in a live stream each at its time."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass

from realtime.clock import Clock
from realtime.errors import SinkLost
from realtime.hand_over import Drawn, HandOver
from realtime.mailbox import Mailbox
from realtime.pacer import Drop, Pacer, Show
from realtime.ports import VideoSink
from realtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Lane:
    """A sink with its mailbox."""

    sink: VideoSink
    name: str
    mailbox: Mailbox[Drawn]


class Presenter:
    """Shows the frames of one stream."""

    def __init__(
        self,
        sinks: Sequence[VideoSink],
        pacer: Pacer | None,
        clock: Clock,
        telemetry: Telemetry,
        hand_over: HandOver,
    ) -> None:
        """Without a pacer frames are shown as soon as the sinks take them."""
        self.lanes = [Lane(sink, type(sink).__name__, hand_over.mailbox(1)) for sink in sinks]
        self.opened: list[VideoSink] = []
        """Sinks that are to be closed or aborted."""
        self._pacer = pacer
        self._clock = clock
        self._telemetry = telemetry
        self._hand_over = hand_over
        self._generation = 0
        self._flushed: float | None = None

    def flushed(self, now: float) -> None:
        """The source was flushed at the time `now` (s)."""
        self._flushed = now

    async def present(self, frames: AsyncIterable[Drawn]) -> None:
        """Give every frame to all lanes when it is due."""
        late: Drawn | None = None
        async for drawn in frames:
            if self._hand_over.is_flushed(drawn):
                continue
            if late is not None:
                drawn, late = self._hand_over.leave_sound(late, drawn), None
            if self._pacer is not None:
                decision = self._decide(self._pacer, drawn)
                if isinstance(decision, Drop):
                    self._telemetry.count("frames_dropped_late")
                    late = drawn
                    continue
                await self._clock.sleep_until(decision.due)
                if self._hand_over.is_flushed(drawn):
                    continue
                self._record(drawn)
            if drawn.frame.number == 0:
                self._telemetry.note("first_frame_s", self._telemetry.since_start())
            self._telemetry.count("frames")
            for lane in self.lanes:
                await lane.mailbox.put(drawn)
        for lane in self.lanes:
            lane.mailbox.close()

    async def feed(self, lane: Lane) -> None:
        """Show what is in a sink's mailbox. A lost sink is taken out; the last one to be lost ends the stream."""
        try:
            async for drawn in lane.mailbox:
                if self._hand_over.is_flushed(drawn):
                    continue
                with self._telemetry.measure(f"show_{lane.name}"):
                    await lane.sink.show(drawn.frame, drawn.sound)
        except SinkLost:
            self._telemetry.count(f"lost_{lane.name}")
            lane.mailbox.close()
            lane.sink.abort()
            self.opened.remove(lane.sink)
            if not self.opened:
                raise

    def sum_up(self) -> None:
        """Note what the stream's end leaves to be told."""
        for lane in self.lanes:
            self._telemetry.count(f"frames_dropped_{lane.name}", lane.mailbox.lost)
        if self._pacer is not None:
            self._telemetry.note("drift_ms_per_h", 3600 * 1000 * self._pacer.drift)

    def _decide(self, pacer: Pacer, drawn: Drawn) -> Show | Drop:
        if drawn.sound.generation > self._generation:
            pacer.restart()
        self._generation = drawn.sound.generation
        return pacer.decide(drawn.frame.number, drawn.ready)

    def _record(self, drawn: Drawn) -> None:
        now = self._clock.now()
        self._telemetry.record("pace", now - drawn.ready)
        self._telemetry.record("delay", now - drawn.at)
        if self._flushed is not None:
            self._telemetry.record("flush", now - self._flushed)
            self._flushed = None
