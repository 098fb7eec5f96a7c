"""Rubbish, and offers that are nearly right: always an answer, never a fault of ours, and nothing is left behind."""

import asyncio
import json
import logging

import pytest
from aiohttp import ClientError, WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from aiortc import RTCConfiguration, RTCPeerConnection
from fakes import LoudnessAnimator
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.web.house import Choice
from realtime.web.server import application

ANSWERS = {200, 201, 400, 404, 408, 413, 415, 426, 503}


@pytest.fixture
def runner(caplog):
    caplog.set_level(logging.CRITICAL, "asyncio")  # aiortc leaves its connecting to tasks that nobody looks after
    with asyncio.Runner() as runner:
        yield runner


async def start():
    client = TestClient(TestServer(application([Choice("one", lambda: LoudnessAnimator(25, 0, (64, 64)))])))
    await client.start_server()
    return client


async def good_offer(directions):
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind, direction in directions.items():
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    offer = pc.localDescription.sdp
    await pc.close()
    return offer


def changed(offer):
    """Offers that differ in some lines, or in some characters of a line."""
    lines = offer.splitlines()
    place = st.integers(0, len(lines) - 1)
    line = st.sampled_from(lines) | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)

    def apply(changes):
        made = list(lines)
        for what, at, new, character in changes:
            at %= len(made)
            if what == "leave out" and len(made) > 1:
                del made[at]
            elif what == "twice":
                made.insert(at, made[at])
            elif what == "replace":
                made[at] = new
            else:
                made[at] = made[at][: character % 40] + new[:5] + made[at][character % 40 + 1 :]
        return "\r\n".join(made) + "\r\n"

    kinds = st.sampled_from(["leave out", "twice", "replace", "spoil"])
    return st.lists(st.tuples(kinds, place, line, st.integers(0, 1000)), min_size=1, max_size=4).map(apply)


async def settle(client, response):
    """Whatever came: no fault of ours, and the place is free again."""
    assert response.status in ANSWERS, await response.text()
    if response.status in (200, 201):
        path = response.headers.get("Location") or f"/sessions/{(await response.json())['id']}"
        assert (await client.delete(path)).status in (204, 404)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "sdp", "puppet"]), inner),
    max_leaves=8,
)


def test_offers(runner):
    client = runner.run(start())
    speaker = runner.run(good_offer({"audio": "sendrecv", "video": "recvonly"}))

    async def send(body):
        response = await client.post("/offer", data=body, headers={"Content-Type": "application/json"})
        await settle(client, response)

    @settings(max_examples=60)
    @given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
    def rubbish(body):
        runner.run(send(body))

    @settings(max_examples=60)
    @given(changed(speaker))
    def nearly_right(offer):
        runner.run(send(json.dumps({"type": "offer", "sdp": offer}).encode()))

    rubbish()
    nearly_right()
    runner.run(send(b"[" * 60_000))
    runner.run(send(json.dumps({"type": "offer", "sdp": speaker}).encode()))
    assert "marotte_streams 0" in runner.run(figures(client))
    runner.run(client.close())


def test_offers_to_watch(runner):
    client = runner.run(start())
    viewer = runner.run(good_offer({"audio": "recvonly", "video": "recvonly"}))
    socket = runner.run(client.ws_connect("/pcm"))

    async def send(body):
        await settle(client, await client.post("/whep", data=body, headers={"Content-Type": "application/sdp"}))

    @settings(max_examples=40)
    @given(st.binary(max_size=200) | changed(viewer).map(str.encode))
    def anything(body):
        runner.run(send(body))

    anything()
    runner.run(socket.close())
    runner.run(client.close())


def test_the_socket(runner):
    client = runner.run(start())

    async def say(messages):
        try:
            async with client.ws_connect("/pcm") as socket:
                for message in messages:
                    await (socket.send_bytes if isinstance(message, bytes) else socket.send_str)(message)
                    if message == "":
                        await socket.ping(b"x")
                await socket.close()
                while (await socket.receive(5)).type not in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR):
                    pass
        except ClientError:
            pass  # it was sent away
        async with asyncio.timeout(10):
            while "marotte_streams 0" not in await figures(client):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    @settings(max_examples=40)
    @given(
        st.lists(
            st.binary(max_size=2000) | st.text(max_size=20) | st.sampled_from(["flush", '{"mute": true}', "[]"]),
            max_size=8,
        )
    )
    def anything(messages):
        runner.run(say(messages))

    anything()
    runner.run(client.close())


async def figures(client):
    return await (await client.get("/metrics")).text()
