"""A browser's part played by aiortc, in the same process: a voice in a file goes in, a face and the voice come out."""

import asyncio
import threading
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError
from fakes import LoudnessAnimator, read_number
from recordings import tone, write_sound

from realtime.web.aiortc_patches import hear_promptly
from realtime.web.house import Choice
from realtime.web.server import application

SECONDS = 4


class Browser:
    """Sends a file's sound and keeps what comes back."""

    def __init__(self, path):
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pictures, self.sound = [], []
        self._readers = []
        self._player = MediaPlayer(str(path))
        self.pc.addTrack(self._player.audio)
        self.pc.addTransceiver("video", direction="recvonly")
        self.pc.on("track", self._listen)

    def _listen(self, track):
        for transceiver in self.pc.getTransceivers():
            if track.kind == "audio" and transceiver.receiver.track is track:
                hear_promptly(transceiver.receiver)
        kept = self.pictures if track.kind == "video" else self.sound
        self._readers.append(asyncio.create_task(self._read(track, kept)))

    async def _read(self, track, kept):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            kept.append((asyncio.get_running_loop().time(), frame))

    async def offer(self):
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return {"type": "offer", "sdp": self.pc.localDescription.sdp}

    async def accept(self, answer):
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def sees_something(self):
        async with asyncio.timeout(10):
            while not self.pictures:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def close(self):
        await self.pc.close()
        for reader in self._readers:
            reader.cancel()  # a track that never began does not end by itself
        await asyncio.gather(*self._readers, return_exceptions=True)


@pytest.fixture
def clicks(tmp_path):
    """Ten milliseconds of tone in the middle of each second."""
    sound = np.zeros((1, 48_000 * SECONDS), np.float32)
    for second in range(SECONDS):
        at = 48_000 * second + 24_000
        sound[0, at : at + 480] = tone(0.01, 48_000, 1000, 0.9)
    return write_sound(tmp_path / "clicks.wav", sound, 48_000)


async def watch(path, seconds, animator=None):
    """Watch a session for a while; returns the browser and the session's report."""
    app = application([Choice("test", animator or (lambda: LoudnessAnimator(25, 0, (256, 256))))])
    async with TestClient(TestServer(app)) as client:
        browser = Browser(path)
        response = await client.post("/offer", json=await browser.offer())
        assert response.status == 200, await response.text()
        answer = await response.json()
        assert "a=ptime:10" in answer["sdp"].split("m=video")[0]
        await browser.accept(answer)
        await asyncio.sleep(seconds)
        report = await (await client.get(f"/sessions/{answer['id']}")).json()
        await client.delete(f"/sessions/{answer['id']}")
        gone = await client.get(f"/sessions/{answer['id']}")
        assert gone.status == 404
        await browser.close()
    return browser, report


async def test_a_face_and_the_matched_voice_come_back(clicks):
    browser, report = await watch(clicks, SECONDS + 0.5)
    numbers = [read_number(frame.to_ndarray(format="rgb24")) for _, frame in browser.pictures]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 0.5 * 25 * SECONDS
    stamps = [frame.time for _, frame in browser.pictures]
    np.testing.assert_allclose(np.diff(stamps), np.diff(numbers) / 25, atol=1e-3)

    flashes = [
        (when, frame.time) for when, frame in browser.pictures if frame.to_ndarray(format="rgb24")[240, 128, 1] > 120
    ]
    loud = [when for when, frame in browser.sound if np.abs(frame.to_ndarray()).max() > 8000]
    assert len(flashes) >= SECONDS - 2  # what is said before the puppet listens is left out
    # The click is 20 ms into its frame; aiortc's own receiver shows a picture when the next one comes, 40 ms late.
    apart = [min((heard - seen for heard in loud), key=abs) for seen, _ in flashes]
    assert np.median(apart) == pytest.approx(0, abs=0.09)  # 0.02 on a quiet machine
    assert 40 < report["stages"]["delay"]["p50_ms"] < 250  # a frame is declared


async def test_two_watch_and_a_third_is_told_to_wait(clicks):
    app = application([Choice("test", lambda: LoudnessAnimator(25, 0, (64, 64)))])
    async with TestClient(TestServer(app)) as client:
        browsers = [Browser(clicks) for _ in range(3)]
        answers = [await client.post("/offer", json=await browser.offer()) for browser in browsers]
        assert [answer.status for answer in answers] == [200, 200, 503]
        assert int(answers[2].headers["Retry-After"]) > 0
        first = (await answers[0].json())["id"]
        assert (await client.delete(f"/sessions/{first}")).status == 204
        again = await client.post("/offer", json=await browsers[2].offer())
        assert again.status == 200
        await asyncio.gather(*[browser.close() for browser in browsers])


@asynccontextmanager
async def somebody_watching(clicks):
    """A client of the server, a browser that sees the puppet, and the address of its session."""
    app = application([Choice("test", lambda: LoudnessAnimator(25, 0, (64, 64)))])
    async with TestClient(TestServer(app)) as client:
        browser = Browser(clicks)
        answer = await (await client.post("/offer", json=await browser.offer())).json()
        await browser.accept(answer)
        await browser.sees_something()
        yield client, browser, f"/sessions/{answer['id']}"


async def test_a_browser_that_vanishes_frees_its_place(clicks):
    async with somebody_watching(clicks) as (client, browser, session):
        async with asyncio.timeout(10):
            await browser.close()
            while (await client.get(session)).status == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_leaving_twice_is_leaving_once(clicks):
    async with somebody_watching(clicks) as (client, browser, session):
        leaving = [client.delete(session) for _ in range(3)]
        assert {response.status for response in await asyncio.gather(*leaving)} <= {204, 404}
        async with asyncio.timeout(5):
            while [thread for thread in threading.enumerate() if "decoder" in thread.name]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await browser.close()


async def test_shutting_down_lets_everybody_go(clicks):
    app = application([Choice("test", lambda: LoudnessAnimator(25, 0, (64, 64)))])
    browser = Browser(clicks)
    async with TestClient(TestServer(app)) as client:
        await browser.accept(await (await client.post("/offer", json=await browser.offer())).json())
        await browser.sees_something()
    async with asyncio.timeout(10):
        await browser.close()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name]
