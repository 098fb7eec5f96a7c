"""Publishing by WHIP, to a small server of our own: an aiohttp handler with aiortc behind it."""

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from fakes import ListSource, LoudnessAnimator, read_number, voice

from realtime.clock import MonotonicClock
from realtime.errors import InputError, SinkLost
from realtime.loop import run
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.web import whip
from realtime.web.whip import WhipSink

TOKEN = "a-token-that-nobody-guesses"
SPEC = StreamSpec(64, 48, Fraction(25))


class Studio:
    """A WHIP server that watches what is published to it."""

    def __init__(self):
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.numbers = []
        self.asked = []
        self.ended = asyncio.Event()
        self._readers = []
        self.pc.on("track", lambda track: self._readers.append(asyncio.create_task(self._read(track))))
        self.app = web.Application()
        self.app.router.add_post("/whip/live", self._offer)
        self.app.router.add_delete("/whip/resource", self._delete)
        self.app.router.add_post("/moved", self._moved)
        self.app.on_cleanup.append(self._close)

    async def _offer(self, request):
        self.asked.append((request.method, request.content_type, request.headers.get("Authorization")))
        await self.pc.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        text = self.pc.localDescription.sdp
        return web.Response(
            status=201, text=text, content_type="application/sdp", headers={"Location": "/whip/resource"}
        )

    async def _moved(self, request):
        return web.Response(status=307, headers={"Location": "/whip/live"})

    async def _delete(self, request):
        self.asked.append((request.method, None, request.headers.get("Authorization")))
        self.ended.set()
        return web.Response()

    async def _read(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.numbers.append(read_number(frame.to_ndarray(format="rgb24")))

    async def _close(self, app):
        await self.pc.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


@pytest.mark.parametrize("path", ["whip/live", "moved"])
async def test_what_is_shown_is_published_and_goodbye_is_said(path):
    studio, clock = Studio(), MonotonicClock()
    async with TestServer(studio.app) as server:
        source = ListSource(voice(1.5), clock=clock)
        sink = WhipSink(str(server.make_url(path)), TOKEN, clock)
        await run(source, LoudnessAnimator(25, 0, (256, 256)), [sink], live=True, clock=clock)
        assert studio.ended.is_set()
        bearer = f"Bearer {TOKEN}"
        assert studio.asked == [("POST", "application/sdp", bearer), ("DELETE", None, bearer)]
        assert len(studio.numbers) > 15
        assert studio.numbers == sorted(set(studio.numbers))


async def test_a_server_that_hangs_up_loses_the_sink():
    studio = Studio()
    async with TestServer(studio.app) as server:
        sink = WhipSink(str(server.make_url("whip/live")), None, MonotonicClock())
        await sink.open(SPEC)
        with pytest.raises(SinkLost, match="has hung up"):
            for number in range(250):
                black, silence = np.zeros((48, 64, 3), np.uint8), np.zeros(640, np.float32)
                await sink.show(VideoFrame(black, number), AudioChunk(silence, 640 * number))
                await asyncio.sleep(0.02)
                if studio.numbers:
                    await studio.pc.close()
        sink.abort()
        async with asyncio.timeout(5):
            await studio.ended.wait()
        assert studio.asked[0] == ("POST", "application/sdp", None)


async def refusal(url):
    with pytest.raises(InputError) as refused:
        await WhipSink(str(url), TOKEN, MonotonicClock()).open(SPEC)
    assert TOKEN not in str(refused.value)
    assert str(refused.value).count(".\n") == 0
    return str(refused.value)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refuses the token (401): check --token."),
        (403, "refuses the token (403): check --token."),
        (404, "is not known there (404): check the address of the WHIP endpoint."),
        (500, "has failed (500): look into the server's log, or try again later."),
        (200, "answered 200 where WHIP has 201: is it a WHIP endpoint?"),
        (307, "redirects again and again: ask for the server's real address."),
    ],
)
async def test_a_server_that_refuses(status, sentence):
    async def answer(request):
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/whip", answer)
    async with TestServer(app) as server:
        url = server.make_url("/whip")
        assert await refusal(url) == f"{url} {sentence}"


async def test_a_server_that_never_answers(monkeypatch):
    monkeypatch.setattr(whip, "ANSWER_S", 0.05)
    waiting = asyncio.Event()

    async def answer(request):
        await waiting.wait()

    app = web.Application()
    app.router.add_post("/whip", answer)
    async with TestServer(app) as server:
        assert "did not answer within 0.05 s" in await refusal(server.make_url("/whip"))
        waiting.set()


async def test_a_server_that_talks_rubbish(monkeypatch):
    async def answer(request):
        return web.Response(status=201, text="hello")

    app = web.Application()
    app.router.add_post("/whip", answer)
    async with TestServer(app) as server:
        assert "not one that can be understood" in await refusal(server.make_url("/whip"))


async def test_nobody_there():
    assert "cannot be reached" in await refusal(f"http://127.0.0.1:{unused_port()}/whip")


async def test_no_connection_after_the_answer(monkeypatch):
    monkeypatch.setattr("realtime.web.peer.CONNECT_S", 0.05)
    studio = Studio()
    offer = studio._offer

    async def deaf(request):
        response = await offer(request)
        await studio.pc.close()
        return response

    studio.app = web.Application()
    studio.app.router.add_post("/whip", deaf)
    async with TestServer(studio.app) as server:
        assert "no connection came about: is UDP blocked" in await refusal(server.make_url("/whip"))


def test_redirects_stay_encrypted():
    sink = WhipSink.__new__(WhipSink)
    assert sink._follow("https://a.example/x", "/y") == "https://a.example/y"
    with pytest.raises(InputError, match="not encrypted"):
        sink._follow("https://a.example/x", "http://a.example/x")


@pytest.mark.parametrize("url", ["", "whip", "ftp://example.org/x", "https://", "rtmp://example.org/live"])
async def test_what_is_no_address(url):
    with pytest.raises(InputError, match="should begin with https://"):
        WhipSink(url, None, MonotonicClock())
