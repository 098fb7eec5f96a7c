"""Performances, and the people at them: one speaks and watches, others may only watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from realtime import loop
from realtime.clock import MonotonicClock
from realtime.errors import SinkLost
from realtime.ports import Animator, AudioSource
from realtime.sinks.webrtc import WebRtcSink
from realtime.sources.mute import MuteSwitch
from realtime.telemetry import Telemetry
from realtime.web.access import Reach
from realtime.web.peer import Peer

logger = logging.getLogger(__name__)


class Performance:
    """A voice that a puppet speaks, for all who watch."""

    def __init__(self, make_animator: Callable[[], Animator[Any]]) -> None:
        clock = MonotonicClock()
        self.telemetry = Telemetry(clock)
        self.sink = WebRtcSink(clock)
        self.over = asyncio.Event()
        """Set when it has ended, or nothing came of it."""
        self._make_animator = make_animator
        self._animator: Animator[Any] | None = None

    async def prepare(self) -> None:
        """Make the animator, in a thread."""
        self._animator = await asyncio.to_thread(self._make_animator)

    async def run(self, source: AudioSource) -> None:
        """Animate a voice until it ends."""
        assert self._animator is not None, "prepare() comes first"
        await loop.run(source, self._animator, [self.sink], live=True, telemetry=self.telemetry)


class Session:
    """One person's stay: from an answered offer until they leave, or what they came for ends."""

    def __init__(self, performance: Performance, reach: Reach) -> None:
        self.performance = performance
        self.peer = Peer(performance.sink.watch(), reach)
        self.voice: MuteSwitch | None = None
        """What this person says; None for one who watches."""
        self._task: asyncio.Task[None] | None = None

    async def speak(self, offer: str) -> str:
        """Answer an offer with a voice in it; the performance begins when the peer is connected."""
        answer = await self.peer.answer(offer, speaks=True)
        await self.performance.prepare()
        assert self.peer.voice is not None
        voice = self.voice = MuteSwitch(self.peer.voice, self.performance.telemetry)
        self._task = asyncio.create_task(self._stay(lambda: self.performance.run(voice)))
        return answer

    async def watch(self, offer: str) -> str:
        """Answer an offer to watch, only."""
        answer = await self.peer.answer(offer, speaks=False)
        self._task = asyncio.create_task(self._stay(self.performance.over.wait))
        return answer

    def on_end(self, then: Callable[[], object]) -> None:
        """Have something done when it has ended."""
        assert self._task is not None, "an offer is answered first"
        self._task.add_done_callback(lambda _: then())

    async def close(self) -> None:
        """Let the person go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        else:
            await self.peer.close()

    async def _stay(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do it while the peer is there."""
        try:
            await self.peer.connect()
            doing, leaving = asyncio.ensure_future(work()), asyncio.ensure_future(self.peer.gone.wait())
            try:
                await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if doing.done():
                    doing.result()
            finally:
                doing.cancel()
                leaving.cancel()
                await asyncio.gather(doing, leaving, return_exceptions=True)
        except (SinkLost, TimeoutError) as reason:
            logger.info("A session ended: %s", str(reason) or "nobody connected")
        except Exception:
            logger.exception("A session failed")
        finally:
            await asyncio.shield(self.peer.close())  # also if it is asked for twice
