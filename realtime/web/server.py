"""The web server: the page, and the exchange by which a browser gets its connection (signalling).

It is made for this machine alone. A page elsewhere cannot use it: the name it was called by (`Host`) must be a local
one, which stops DNS rebinding, and who calls (`Origin`) must be our own page. What a body contains must be said, which
makes browsers ask first.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from realtime.errors import InputError
from realtime.ports import Animator
from realtime.web.session import Session

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that nobody else's page can take."""
MOST_SESSIONS = 2
"""Viewers at a time: each animates a face and encodes a video."""
MOST_BYTES = 64 * 1024
"""Size of a request; an offer has a few thousand bytes."""
PAGE = {"/": "index.html", "/app.js": "app.js", "/style.css": "style.css", "/icon.svg": "icon.svg"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(
    make_animator: Callable[[], Animator[Any]],
    host: str,
    port: int,
    announce: Callable[[str], None],
    preview: Path | None = None,
) -> None:
    """Serve the page until the task is cancelled; then every viewer is let go.

    Args:
        make_animator: called in a thread for each viewer.
        host: one of `LOCAL`.
        port: TCP port; 0 takes a free one.
        announce: called once with the page's address when it can be opened.
        preview: a picture of the puppet, shown before it moves.

    Raises:
        InputError: the address cannot be used.
    """
    if host not in LOCAL:
        raise InputError(f"The page is for this machine only, so --host must be one of {', '.join(LOCAL)}, not {host}.")
    runner = web.AppRunner(application(make_animator, preview))
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"Cannot serve on {host}:{port} ({reason}): choose another port with --port.") from error
        name = f"[{host}]" if ":" in host else host
        announce(f"http://{name}:{runner.addresses[0][1]}/")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def application(make_animator: Callable[[], Animator[Any]], preview: Path | None = None) -> web.Application:
    """The web application, without an address."""
    app = web.Application(middlewares=[_guard], client_max_size=MOST_BYTES)
    sessions = _Sessions(make_animator)
    for path, name in PAGE.items():
        app.router.add_get(path, partial(_send, Path(__file__).with_name(name)))
    app.router.add_get("/preview", partial(_send, preview or Path(__file__).with_name("icon.svg")))
    app.router.add_post("/offer", sessions.offer)
    app.router.add_get("/sessions/{id}", sessions.report)
    app.router.add_delete("/sessions/{id}", sessions.end)
    app.on_shutdown.append(sessions.end_all)
    return app


async def _send(path: Path, request: web.Request) -> web.StreamResponse:
    return web.FileResponse(path)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what does not come from our own page on this machine."""
    if request.url.host not in LOCAL:
        raise web.HTTPMisdirectedRequest(text="This server answers to local names only.", headers=HEADERS)
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != f"http://{request.host}"
    follows_link = request.method == "GET"
    if foreign or (not follows_link and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")):
        raise web.HTTPForbidden(text="Only this server's own page may do that.", headers=HEADERS)
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        refusal.headers.update(HEADERS)
        raise
    response.headers.update(HEADERS)
    return response


class _Sessions:
    """The viewers there are."""

    def __init__(self, make_animator: Callable[[], Animator[Any]]) -> None:
        self._make_animator = make_animator
        self._sessions: dict[str, Session] = {}

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """Answer {"type": "offer", "sdp": …} with {"type": "answer", "sdp": …, "id": …}."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="An offer is sent as application/json.")
        try:
            body = await request.json()
            offer = body["sdp"]
            if body["type"] != "offer" or not isinstance(offer, str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text='An offer is a JSON object with "type": "offer" and "sdp".') from None
        if len(self._sessions) >= MOST_SESSIONS:
            text = "As many people as this machine can serve are watching already. Try again later."
            raise web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "10"})
        name = secrets.token_urlsafe(16)
        session = self._sessions[name] = Session(self._make_animator)
        try:
            answer = await session.answer(offer)
        except BaseException as error:
            del self._sessions[name]
            await session.close()
            if isinstance(error, InputError):
                raise web.HTTPBadRequest(text=str(error)) from error
            raise
        session.start().add_done_callback(lambda _: self._sessions.pop(name))
        return web.json_response({"type": "answer", "sdp": answer, "id": name})

    async def report(self, request: web.Request) -> web.StreamResponse:
        """What a session's stages take and lose."""
        return web.json_response(self._find(request).telemetry.report())

    async def end(self, request: web.Request) -> web.StreamResponse:
        """Let a viewer go."""
        await self._find(request).close()
        return web.Response(status=204)

    async def end_all(self, app: web.Application) -> None:
        """Let everybody go."""
        await asyncio.gather(*[session.close() for session in self._sessions.values()])

    def _find(self, request: web.Request) -> Session:
        try:
            return self._sessions[request.match_info["id"]]
        except KeyError:
            raise web.HTTPNotFound(text="That session has ended.") from None
