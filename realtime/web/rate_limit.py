"""How often one address may begin something: a bucket of tokens for each, filled at an even pace."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from math import ceil

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.clock import Clock

BURST = 10
"""Times in a row."""
PACE_S = 3.0
"""Seconds until there is one time more."""
MOST_ADDRESSES = 4096
"""That are remembered; of more, those that came least recently are forgotten."""
NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one has all that begin with them."""


class RateLimit:
    """No waiting, no clock."""

    def __init__(self) -> None:
        self._empty: OrderedDict[str, float] = OrderedDict()  # when the bucket would have been empty (s)

    def wait(self, address: str, now: float) -> float:
        """Count one attempt at the time `now` (s); returns for how many seconds it comes too early, 0 if it may be."""
        empty = max(self._empty.pop(address, 0.0), now - BURST * PACE_S)
        early = empty + PACE_S - now
        self._empty[address] = empty if early > 0 else empty + PACE_S
        if len(self._empty) > MOST_ADDRESSES:
            self._empty.popitem(last=False)
        return max(0.0, early)


def limit(paths: frozenset[str], clock: Clock) -> Middleware:
    """The middleware that refuses addresses which ask for `paths` too often. This machine's own are free to."""
    attempts = RateLimit()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in paths and (address := _network(request.remote or "")) is not None:
            early = attempts.wait(address, clock.now())
            if early:
                text = "That was too often. Try again later."
                raise web.HTTPTooManyRequests(text=text, headers={"Retry-After": str(ceil(early))})
        return await handler(request)

    return check


def _network(remote: str) -> str | None:
    """What is counted for an address; None for this machine's own."""
    try:
        address = ip_address(remote.partition("%")[0])
    except ValueError:
        return remote
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return None
    bits = 128 - NETWORK_BITS
    return str(IPv6Address(int(address) >> bits << bits)) if isinstance(address, IPv6Address) else str(address)
