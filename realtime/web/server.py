"""The web server: the page, and the exchange by which browsers and players get their connections (signalling).

GET    /                      the page
GET    /puppets               who can speak: [{"name": …}, …]
GET    /puppets/0/preview     a still of the first
    POST   /offer                 speak and watch: {"type": "offer", "sdp": …, "puppet": 0} gives {"sdp": …, "id": …}
GET    /sessions/ID           what the stages of a performance take and lose
PATCH  /sessions/ID           {"sound": true}: the sound is heard, so the picture waits for it
DELETE /sessions/ID           leave
POST   /whep                  watch the current performance, as WHEP (draft-ietf-wish-whep) has it: SDP in, SDP out
DELETE /whep/ID               leave
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from realtime.errors import InputError
from realtime.ports import Animator
from realtime.web.access import Access, guard
from realtime.web.session import Performance, Session

MOST_PERFORMANCES = 2
"""At a time: each animates a face and encodes a video."""
MOST_VIEWERS = 16
"""At a time: each has a connection."""
MOST_BYTES = 64 * 1024
"""Size of a request; an offer has a few thousand bytes."""
READ_S = 5
"""Seconds that a request's body may take."""
HERE = Path(__file__).parent
SCRIPTS = ("app.js", "connection.js", "figures.js", "recorder.js", "voice.js")
PAGE = {"/": "index.html", **{f"/{name}": name for name in (*SCRIPTS, "style.css", "icon.svg")}}


@dataclass(frozen=True, slots=True)
class Choice:
    """A puppet that can be chosen."""

    name: str
    make_animator: Callable[[], Animator[Any]]
    """Called in a thread for each performance."""
    preview: Path | None = None
    """A still, shown before it moves."""


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
    runner = web.AppRunner(application(puppets, access), access_log=None)
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
    app = web.Application(middlewares=[guard(access, frozenset(PAGE))], client_max_size=MOST_BYTES)
    house = _House(puppets, access)
    for path, name in PAGE.items():
        app.router.add_get(path, partial(_send, HERE / name))
    app.router.add_get("/puppets", house.puppets)
    app.router.add_get(r"/puppets/{number:\d+}/preview", house.preview)
    app.router.add_post("/offer", house.offer)
    app.router.add_get("/sessions/{id}", house.report)
    app.router.add_patch("/sessions/{id}", house.change)
    app.router.add_delete("/sessions/{id}", house.leave)
    app.router.add_post("/whep", house.whep)
    app.router.add_delete("/whep/{id}", house.leave)
    app.on_shutdown.append(house.close)
    return app


async def _send(path: Path, request: web.Request) -> web.StreamResponse:
    return web.FileResponse(path)


async def _body(request: web.Request, kind: str) -> str:
    """The text of a request of this content type."""
    if request.content_type != kind:
        raise web.HTTPUnsupportedMediaType(text=f"This is sent as {kind}.")
    try:
        async with asyncio.timeout(READ_S):
            return (await request.read()).decode()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The request did not come to an end.") from None
    except UnicodeDecodeError:
        raise web.HTTPBadRequest(text="The request is not UTF-8.") from None


async def _object(request: web.Request) -> dict[str, Any]:
    """The JSON object that a request holds."""
    try:
        body = json.loads(await _body(request, "application/json"))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="The request must be a JSON object.")
    return body


class _House:
    """The performances there are, and everybody at them."""

    def __init__(self, puppets: Sequence[Choice], access: Access) -> None:
        self._puppets = puppets
        self._access = access
        self._speakers: dict[str, Session] = {}
        self._viewers: dict[str, Session] = {}

    async def puppets(self, request: web.Request) -> web.StreamResponse:
        return web.json_response([{"name": puppet.name} for puppet in self._puppets])

    async def preview(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["number"][:9])
        if number >= len(self._puppets):
            raise web.HTTPNotFound(text="There is no such puppet.")
        return web.FileResponse(self._puppets[number].preview or HERE / "icon.svg")

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """Begin a performance."""
        body = await _object(request)
        offer, puppet = body.get("sdp"), body.get("puppet", 0)
        if body.get("type") != "offer" or not isinstance(offer, str):
            raise web.HTTPBadRequest(text='An offer is a JSON object with "type": "offer" and "sdp".')
        if type(puppet) is not int or not 0 <= puppet < len(self._puppets):
            raise web.HTTPBadRequest(text=f'"puppet" must be a number from 0 to {len(self._puppets) - 1}.')
        _make_room(self._speakers, MOST_PERFORMANCES)
        session = Session(Performance(self._puppets[puppet].make_animator), self._access.reach)
        name, answer = await _admit(self._speakers, session, session.speak(offer))
        return web.json_response({"sdp": answer, "id": name})

    async def whep(self, request: web.Request) -> web.StreamResponse:
        """Join the newest performance."""
        offer = await _body(request, "application/sdp")
        if not self._speakers:
            raise web.HTTPConflict(text="Nobody is performing. Try again later.", headers={"Retry-After": "5"})
        _make_room(self._viewers, MOST_VIEWERS)
        session = Session(list(self._speakers.values())[-1].performance, self._access.reach)
        name, answer = await _admit(self._viewers, session, session.watch(offer))
        headers = {"Location": f"/whep/{name}"}
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def report(self, request: web.Request) -> web.StreamResponse:
        """What a performance's stages take and lose."""
        return web.json_response(self._find(request).performance.telemetry.report())

    async def change(self, request: web.Request) -> web.StreamResponse:
        """The viewer turns the sound on or off."""
        session, body = self._find(request), await _object(request)
        if not isinstance(body.get("sound"), bool):
            raise web.HTTPBadRequest(text='"sound" must be true or false.')
        session.peer.set_sound(body["sound"])
        return web.Response(status=204)

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """Let somebody go."""
        await self._find(request).close()
        return web.Response(status=204)

    async def close(self, app: web.Application) -> None:
        """Let everybody go."""
        await asyncio.gather(*[session.close() for session in [*self._viewers.values(), *self._speakers.values()]])

    def _find(self, request: web.Request) -> Session:
        name = request.match_info["id"]
        try:
            return (self._speakers | self._viewers)[name]
        except KeyError:
            raise web.HTTPNotFound(text="That session has ended.") from None


def _make_room(sessions: dict[str, Session], most: int) -> None:
    if len(sessions) >= most:
        text = "As many people as this machine can serve are here already. Try again later."
        raise web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "10"})


async def _admit(sessions: dict[str, Session], session: Session, answering: Awaitable[str]) -> tuple[str, str]:
    """Keep a place while an offer is answered, and after that until the session ends; returns its id and the answer."""
    name = secrets.token_urlsafe(16)
    sessions[name] = session
    try:
        answer = await answering
    except BaseException as error:
        del sessions[name]
        await session.close()
        if isinstance(error, InputError):
            raise web.HTTPBadRequest(text=str(error)) from error
        raise
    session.on_end(lambda: sessions.pop(name))
    return name, answer
