"""What requests do: the performances there are, and everybody at them."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, web

from realtime.errors import InputError
from realtime.ports import Animator
from realtime.telemetry import Telemetry, healthy, prometheus
from realtime.web.access import Access
from realtime.web.dictation import dictate
from realtime.web.session import Performance, Session

logger = logging.getLogger(__name__)

MOST_PERFORMANCES = 2
"""At a time: each animates a face and encodes a video."""
MOST_SESSIONS = 16
"""At a time: each has a connection."""
MOST_BYTES = 64 * 1024
"""Size of a request; an offer has a few thousand bytes."""
READ_S = 5
"""Seconds that a request's body may take."""
CHANGES = {"hold_ms", "muted"}
"""What can be changed in a session."""
MOST_HOLD_MS = 500
"""How long a browser can be asked to hold pictures back."""
HEARTBEAT_S = 20
"""Seconds between two questions whether a program is still there."""
ICON = Path(__file__).with_name("icon.svg")


@dataclass(frozen=True, slots=True)
class Choice:
    """A puppet that can be chosen."""

    name: str
    make_animator: Callable[[], Animator[Any]]
    """Called in a thread for each performance."""
    preview: Path | None = None
    """A still, shown before it moves."""


class House:
    """Its coroutines answer requests."""

    def __init__(self, puppets: Sequence[Choice], access: Access) -> None:
        self._puppets = puppets
        self._access = access
        self._performances: list[Performance] = []
        self._sessions: dict[str, Session] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        self._ended = Telemetry()

    async def puppets(self, request: web.Request) -> web.StreamResponse:
        """Who can speak."""
        return web.json_response([{"name": puppet.name} for puppet in self._puppets])

    async def preview(self, request: web.Request) -> web.StreamResponse:
        """A still."""
        return web.FileResponse(self._choose(request.match_info["puppet"]).preview or ICON)

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """Begin a performance."""
        body = await _object(request)
        offer = body.get("sdp")
        if body.get("type") != "offer" or not isinstance(offer, str):
            raise web.HTTPBadRequest(text='An offer is a JSON object with "type": "offer" and "sdp".')
        performance = self._begin(str(body.get("puppet", 0)))
        session = Session(performance, self._access.reach)
        name, answer = await self._admit(session, session.speak(offer), lambda: self._end(performance))
        return web.json_response({"sdp": answer, "id": name})

    async def whep(self, request: web.Request) -> web.StreamResponse:
        """Join the newest performance."""
        offer = await _body(request, "application/sdp")
        if not self._performances:
            raise web.HTTPConflict(text="Nobody is performing. Try again later.", headers={"Retry-After": "5"})
        if len(self._sessions) >= MOST_SESSIONS:
            raise _full()
        session = Session(self._performances[-1], self._access.reach)
        name, answer = await self._admit(session, session.watch(offer), lambda: None)
        headers = {"Location": f"/whep/{name}"}
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def pcm(self, request: web.Request) -> web.StreamResponse:
        """A program begins a performance."""
        socket = web.WebSocketResponse(max_msg_size=MOST_BYTES, heartbeat=HEARTBEAT_S)
        if not socket.can_prepare(request):
            raise web.HTTPUpgradeRequired(text="Sound is sent here over a WebSocket.")
        performance = self._begin(request.query.get("puppet", "0"))
        try:
            await socket.prepare(request)
            self._sockets.add(socket)
            await dictate(performance, socket)
        finally:
            self._sockets.discard(socket)
            self._end(performance)
        return socket

    async def report(self, request: web.Request) -> web.StreamResponse:
        """What a performance's stages take and lose, and how much later than a picture its sound is sent."""
        session = self._find(request)
        return web.json_response({**session.performance.telemetry.report(), "sound_lag_ms": session.peer.sound_lag_ms})

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Somebody mutes the voice, turns the sound on or off, or hears it later than it is seen."""
        session, body = self._find(request), await _object(request)
        hold, muted = body.get("hold_ms", 0), body.get("muted", False)
        if (
            type(hold) is not int
            or not 0 <= hold <= MOST_HOLD_MS
            or type(muted) is not bool
            or not body.keys() & CHANGES
        ):
            raise web.HTTPBadRequest(
                text=f'"hold_ms" must be a number from 0 to {MOST_HOLD_MS}, "muted" true or false.'
            )
        if "muted" in body:
            if session.voice is None:
                raise web.HTTPForbidden(text="Only who speaks can mute the voice.")
            session.voice.mute(muted)
        if "hold_ms" in body:
            session.peer.hold_pictures(hold)
        return web.Response(status=204)

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """Let somebody go."""
        await self._find(request).close()
        return web.Response(status=204)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """Figures of all performances, as Prometheus reads them."""
        return web.Response(text=prometheus([one.telemetry for one in self._performances], self._ended))

    async def healthz(self, request: web.Request) -> web.StreamResponse:
        """Whether deadlines are kept: 200, or else 503."""
        well = healthy(one.telemetry for one in self._performances)
        return web.json_response({"healthy": well}, status=200 if well else 503)

    async def close(self, app: web.Application) -> None:
        """Let everybody go."""
        sockets = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sockets]
        await asyncio.gather(*sockets, *[session.close() for session in self._sessions.values()])

    def _choose(self, puppet: str) -> Choice:
        if not (puppet.isascii() and puppet.isdigit() and len(puppet) < 9 and int(puppet) < len(self._puppets)):
            raise web.HTTPNotFound(
                text=f"There is no such puppet; they have numbers from 0 to {len(self._puppets) - 1}."
            )
        return self._puppets[int(puppet)]

    def _begin(self, puppet: str) -> Performance:
        choice = self._choose(puppet)
        if len(self._performances) >= MOST_PERFORMANCES or len(self._sessions) >= MOST_SESSIONS:
            raise _full()
        performance = Performance(choice.make_animator)
        self._performances.append(performance)
        return performance

    def _end(self, performance: Performance) -> None:
        performance.over.set()
        self._performances.remove(performance)
        self._ended.add(performance.telemetry)

    async def _admit(self, session: Session, answering: Awaitable[str], on_end: Callable[[], None]) -> tuple[str, str]:
        """Keep a place while an offer is answered, and after that until the session ends; returns id and answer."""
        name = secrets.token_urlsafe(16)
        self._sessions[name] = session

        def forget() -> None:
            del self._sessions[name]
            on_end()

        try:
            answer = await answering
        except BaseException as error:
            forget()
            await session.close()
            if isinstance(error, InputError):
                raise web.HTTPBadRequest(text=str(error)) from error
            if isinstance(error, Exception):
                logger.exception("A puppet could not be prepared")
                text = "The puppet could not be prepared; the server's terminal says why."
                raise web.HTTPInternalServerError(text=text) from error
            raise
        session.on_end(forget)
        return name, answer

    def _find(self, request: web.Request) -> Session:
        try:
            return self._sessions[request.match_info["id"]]
        except KeyError:
            raise web.HTTPNotFound(text="That session has ended.") from None


def _full() -> web.HTTPException:
    text = "As many people as this machine can serve are here already. Try again later."
    return web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "10"})


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
