"""The web server: the page, and the exchange by which browsers and players get their connections (signalling).

GET    /                      the page
GET    /puppets               who can speak: [{"name": …}, …]
GET    /puppets/0/preview     a still of the first
POST   /offer                 speak and watch: {"type": "offer", "sdp": …, "puppet": 0} gives {"sdp": …, "id": …}
GET    /sessions/ID           what the stages of a performance take and lose
PATCH  /sessions/ID           {"hold_ms": 60}: how long the browser is to hold pictures back, for the sound;
                              {"muted": true}: the voice is silent and the mouth rests, at once
DELETE /sessions/ID           leave
POST   /whep                  watch the current performance, as WHEP (draft-ietf-wish-whep) has it: SDP in, SDP out
DELETE /whep/ID               leave
GET    /pcm?puppet=0          a WebSocket for programs that speak, see `dictation`
GET    /metrics, /healthz     for those who keep the server
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from aiohttp import web

from realtime.clock import MonotonicClock
from realtime.errors import InputError
from realtime.web.access import Access, guard
from realtime.web.house import MOST_BYTES, Choice, House
from realtime.web.rate_limit import limit

IDLE_S = 10.0
"""Seconds that a connection may take for the head of its first request, or from one answer to the head of the next
request. For bodies there is `house.READ_S`, for TLS's handshake asyncio's 60 s."""
OPENING = frozenset(["/offer", "/whep", "/pcm"])
"""What begins a session, and may not be asked for too often."""
SHUTDOWN_S = 1.0
"""Seconds that requests under way may take when the server ends."""
HERE = Path(__file__).parent
SCRIPTS = ("app.js", "connection.js", "figures.js", "recorder.js", "sync.js", "voice.js")
PAGE = {"/": "index.html", **{f"/{name}": name for name in (*SCRIPTS, "style.css", "icon.svg")}}


async def serve(puppets: Sequence[Choice], access: Access, port: int, announce: Callable[[str], None]) -> None:
    """Serve the page until SIGTERM comes or the task is cancelled; then everybody is let go.

    Args:
        puppets: at least one.
        access: where to listen, and who may come.
        port: TCP port; 0 takes a free one.
        announce: called once with the page's address when it can be opened.

    Raises:
        InputError: the address or the certificate cannot be used.
    """
    stop = asyncio.Event()
    with suppress(NotImplementedError):  # on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.AppRunner(
        application(puppets, access), access_log=None, shutdown_timeout=SHUTDOWN_S, keepalive_timeout=IDLE_S
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, access.host, port, ssl_context=access.tls()).start()
        except OSError as error:
            reason = error.strerror or error
            raise InputError(
                f"Cannot serve on {access.host}:{port} ({reason}): choose another port with --port."
            ) from error
        announce(access.page(runner.addresses[0][1]))
        await stop.wait()
    finally:
        await runner.cleanup()


def application(puppets: Sequence[Choice], access: Access | None = None) -> web.Application:
    """The web application, without an address."""
    access = access or Access()
    public = frozenset([*PAGE, "/healthz"])
    checks = [guard(access, public), limit(OPENING, MonotonicClock())]
    app = web.Application(middlewares=checks, client_max_size=MOST_BYTES)
    house = House(puppets, access)
    for path, name in PAGE.items():
        app.router.add_get(path, partial(_send, HERE / name))
    app.router.add_get("/puppets", house.puppets)
    app.router.add_get("/puppets/{puppet}/preview", house.preview)
    app.router.add_post("/offer", house.offer)
    app.router.add_get("/sessions/{id}", house.report)
    app.router.add_patch("/sessions/{id}", house.change)
    app.router.add_delete("/sessions/{id}", house.leave)
    app.router.add_post("/whep", house.whep)
    app.router.add_delete("/whep/{id}", house.leave)
    app.router.add_get("/pcm", house.pcm)
    app.router.add_get("/metrics", house.metrics)
    app.router.add_get("/healthz", house.healthz)
    app.on_shutdown.append(house.close)
    return app


async def _send(path: Path, request: web.Request) -> web.StreamResponse:
    return web.FileResponse(path)
