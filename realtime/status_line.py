"""One line on the terminal, once a second: how a live stream fares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime.clock import Clock
from realtime.sources.mute import MUTED
from realtime.telemetry import Telemetry


class StatusLine:
    """Tells what happened since it was asked last."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._delay = telemetry.stage("delay")
        self._animate = telemetry.stage("animate")
        self._frames = telemetry.counted("frames")
        self._at = telemetry.since_start()

    def next(self) -> str:
        """Frame rate, delay, computing time and missed deadlines; whether the voice is muted."""
        delay, animate = self._telemetry.stage("delay"), self._telemetry.stage("animate")
        frames, at = self._telemetry.counted("frames"), self._telemetry.since_start()
        rate = (frames - self._frames) / max(1e-3, at - self._at)
        late, drawn = delay.since(self._delay), animate.since(self._animate)
        self._delay, self._animate, self._frames, self._at = delay, animate, frames, at
        minutes, seconds = divmod(int(at), 60)
        return (
            f"{minutes}:{seconds:02d}  {rate:4.1f} frames/s"
            f"  delay {1000 * late.percentile(50):.0f} ms (95 %: {1000 * late.percentile(95):.0f})"
            f"  drawing {1000 * drawn.percentile(50):.1f} ms"
            f"  missed {100 * self._telemetry.missed():.2f} %" + ("  muted" if self._telemetry.noted(MUTED) else "")
        )


@asynccontextmanager
async def status_line(telemetry: Telemetry, clock: Clock) -> AsyncIterator[None]:
    """Keep the line on the terminal up to date while the body runs; where there is no terminal, say nothing."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status("") as spinner:

        async def tell() -> None:
            line = StatusLine(telemetry)
            second = 0
            begin = clock.now()
            while True:
                second += 1
                await clock.sleep_until(begin + second)
                spinner.update(line.next())

        task = asyncio.create_task(tell())
        try:
            yield
        finally:
            task.cancel()
