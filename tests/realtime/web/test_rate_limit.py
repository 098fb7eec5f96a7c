"""Nobody opens sessions without end, or keeps connections open that ask for nothing."""

import asyncio
import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fakes import LoudnessAnimator
from hypothesis import given
from hypothesis import strategies as st

from realtime.web import rate_limit, server
from realtime.web.access import Access
from realtime.web.house import Choice
from realtime.web.rate_limit import BURST, MOST_ADDRESSES, PACE_S, RateLimit

CAST = [Choice("somebody", LoudnessAnimator)]


def test_some_at_once_then_at_a_pace():
    attempts = RateLimit()
    assert [attempts.wait("a", 1000) for _ in range(BURST)] == [0] * BURST
    assert attempts.wait("a", 1000) == pytest.approx(PACE_S)
    assert attempts.wait("a", 1001) == pytest.approx(PACE_S - 1)  # asking again costs nothing
    assert attempts.wait("b", 1001) == 0
    assert attempts.wait("a", 1000 + PACE_S) == 0
    assert attempts.wait("a", 1000 + PACE_S) > 0
    assert [attempts.wait("a", 5000) for _ in range(BURST)] == [0] * BURST
    assert attempts.wait("a", 5000) > 0


@given(st.lists(st.floats(0, 10, allow_subnormal=False), max_size=200))
def test_never_more_than_the_pace_allows(gaps):
    attempts, now, allowed = RateLimit(), 100.0, 0
    for gap in gaps:
        now += gap
        allowed += attempts.wait("a", now) == 0
    assert allowed <= BURST + (now - 100) / PACE_S + 1e-6


def test_few_addresses_are_remembered():
    attempts = RateLimit()
    for number in range(3 * MOST_ADDRESSES):
        attempts.wait(str(number), 0)
    assert len(attempts._empty) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("203.0.113.1", "203.0.113.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_who_counts_as_one(first, second, together):
    assert (rate_limit._network(first) == rate_limit._network(second)) == together


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.1.2.3"])
def test_this_machine_is_free(address):
    assert rate_limit._network(address) is None


@pytest.mark.parametrize(("method", "path"), [("POST", "/offer"), ("POST", "/whep"), ("GET", "/pcm")])
async def test_sessions_are_opened_at_a_pace_and_the_rest_stays_open(method, path):
    @web.middleware
    async def from_elsewhere(request, handler):
        return await handler(request.clone(remote="203.0.113.9"))

    app = server.application(CAST)
    app.middlewares.insert(0, from_elsewhere)
    async with TestClient(TestServer(app)) as client:
        statuses = [(await client.request(method, path)).status for _ in range(BURST + 1)]
        assert 429 not in statuses[:BURST]
        assert statuses[BURST] == 429
        response = await client.request(method, path)
        assert 1 <= int(response.headers["Retry-After"]) <= PACE_S
        assert "too often" in await response.text()
        assert "Content-Security-Policy" in response.headers
        assert (await client.get("/puppets")).status == 200


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: {}\r\nX: ", b"GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n"]
)
async def test_a_connection_that_asks_for_nothing_more_is_ended(monkeypatch, said):
    monkeypatch.setattr(server, "IDLE_S", 0.1)
    address = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(server.serve(CAST, Access(), 0, address.set_result))
    port = int(re.search(r":(\d+)/", await address)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said.replace(b"{}", f"127.0.0.1:{port}".encode()))

    async def drip():
        while not reader.at_eof():
            await asyncio.sleep(0.02)
            writer.write(b"x" if said else b"")

    dripping = asyncio.create_task(drip()) if not said.endswith(b"\r\n\r\n") else None
    answer = await asyncio.wait_for(reader.read(), 10)
    assert (b"200 OK" in answer) == said.endswith(b"\r\n\r\n")
    if dripping:
        dripping.cancel()
    writer.close()
    serving.cancel()
    await asyncio.gather(serving, *([dripping] if dripping else []), return_exceptions=True)
