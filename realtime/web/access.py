"""Who may use the server. Every rule is here; `guard` asks them of each request.

This machine alone, unless told otherwise. A page elsewhere cannot use it: the name it was called by (`Host`) must be
ours, which stops DNS rebinding, and who calls (`Origin`) must be our own page. Other machines need a token, and TLS
so that nobody reads it on the way.
"""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.errors import InputError

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that nobody else's page can take."""
SHORTEST_TOKEN = 16
"""Characters; shorter ones are guessed."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Reach(Enum):
    """From where the server can be reached."""

    MACHINE = "this machine"
    NETWORK = "a private network"
    WORLD = "anywhere"


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server listens, and what it asks of those who come."""

    host: str = "127.0.0.1"
    token: str | None = None
    """Asked for as `Authorization: Bearer …`, if there is one."""
    certificate: Path | None = None
    """PEM; with `key`, the server speaks TLS."""
    key: Path | None = None
    insecure: bool = False
    """Serve other machines without token and TLS."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InputError("--cert and --key belong together: give both, or neither.")
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise InputError(f"The token is too easy to guess: take {SHORTEST_TOKEN} characters or more.")
        if self.reach is not Reach.MACHINE and not self.insecure and not (self.token and self.certificate):
            raise InputError(
                f"{self.host or 'An empty --host'} can be reached from other machines: give --token and TLS "
                "(--cert, --key), or say --insecure if everybody there may use this puppet and listen in."
            )

    @property
    def reach(self) -> Reach:
        """From where `host` can be reached."""
        if self.host in LOCAL:
            return Reach.MACHINE
        try:
            address = ip_address(self.host)
        except ValueError:
            return Reach.WORLD
        if address.is_loopback:
            return Reach.MACHINE
        return Reach.NETWORK if address.is_private and not address.is_unspecified else Reach.WORLD

    @property
    def scheme(self) -> str:
        """http or https."""
        return "https" if self.certificate else "http"

    def tls(self) -> ssl.SSLContext | None:
        """The server's side of TLS, if it speaks that.

        Raises:
            InputError: certificate and key cannot be used.
        """
        if self.certificate is None or self.key is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            fault = "they do not fit together, or are not PEM"
            reason = fault if isinstance(error, ssl.SSLError) else error.strerror
            raise InputError(f"{self.certificate} and {self.key} cannot be used for TLS: {reason}.") from error
        return context

    def page(self, port: int) -> str:
        """The page's address. The token stands behind #, which browsers keep to themselves."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{port}/" + (f"#token={self.token}" if self.token else "")

    def answers_to(self, host: str) -> bool:
        """Whether a request that calls the server by this name is meant for it."""
        if self.reach is Reach.MACHINE:
            return host in (*LOCAL, self.host)
        if self.certificate or host in (*LOCAL, self.host):
            return True  # with TLS, browsers have compared the name with the certificate
        try:
            ip_address(host)
        except ValueError:
            return False
        return True  # only a name can be made to point elsewhere

    def knows(self, authorization: str) -> bool:
        """Whether a request with this header has the token."""
        return self.token is None or hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode())


def guard(access: Access, public: frozenset[str]) -> Middleware:
    """The middleware that refuses what may not be, and puts `HEADERS` on every answer.

    Args:
        access: the rules.
        public: paths that need no token: the page, which has none when it is loaded.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check(access, public, request)
            response = await handler(request)
        except web.HTTPException as refusal:
            refusal.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    return check


def _check(access: Access, public: frozenset[str], request: web.Request) -> None:
    try:
        host = request.url.host or ""
    except ValueError:
        raise web.HTTPBadRequest(text="The request's Host is not the name of one.") from None
    if not access.answers_to(host):
        raise web.HTTPMisdirectedRequest(text="This server does not go by that name.")
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin != f"{access.scheme}://{request.host}"
    follows_link = request.method == "GET" and "Upgrade" not in request.headers
    if foreign or (not follows_link and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")):
        raise web.HTTPForbidden(text="Only this server's own page may do that.")
    if request.path not in public and not access.knows(request.headers.get("Authorization", "")):
        raise web.HTTPUnauthorized(
            text="The token is missing or wrong: open the page by the address that the server has printed.",
            headers={"WWW-Authenticate": "Bearer"},
        )
