"""Watching a performance that is somebody else's, and programs that speak: real connections within one process."""

import asyncio
import threading

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer
from fakes import LoudnessAnimator, voice
from whep_player import Player

from realtime.sinks.video_encoder import VideoEncoder
from realtime.sources import pcm_socket
from realtime.web import house
from realtime.web.access import Access
from realtime.web.house import Choice
from realtime.web.server import application, serve


@pytest.fixture
async def client():
    app = application([Choice("one", lambda: LoudnessAnimator(25, 0, (256, 256)))])
    async with TestClient(TestServer(app)) as client:
        yield client
    await asyncio.sleep(0)
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name]


def pcm(seconds):
    return (voice(seconds) * 32767).astype("<i2").tobytes()


async def test_a_program_speaks_and_two_watch_what_is_encoded_once(client, monkeypatch):
    encoded, threads = [], set()

    def encode(self, picture, *, key, rate, encode=VideoEncoder.encode):
        encoded.append(picture.pts)
        threads.add(threading.current_thread())
        return encode(self, picture, key=key, rate=rate)

    monkeypatch.setattr(VideoEncoder, "encode", encode)
    async with client.ws_connect("/pcm") as socket:
        for _ in range(10):
            await socket.send_bytes(pcm(1))
        players = [Player(client), Player(client, ["video"])]
        for player in players:
            await player.join()
        await asyncio.sleep(1)
        for player in players:
            assert len(player.numbers) > 12
            assert player.numbers == sorted(set(player.numbers))
        assert max(players[0].sound) > 3000
        assert players[1].sound == []
        assert len(encoded) == len(set(encoded))
        assert threading.main_thread() not in threads
        assert "marotte_streams 1" in await (await client.get("/metrics")).text()
        assert (await client.get("/healthz")).status in (200, 503)

        assert (await client.delete(players[0].resource)).status == 204
        assert (await client.delete(players[0].resource)).status == 404
        seen = len(players[1].numbers)
        await asyncio.sleep(0.3)
        assert len(players[1].numbers) > seen
        await socket.send_str("flush")
        await asyncio.sleep(0.3)
        figures = await (await client.get("/metrics")).text()
        assert 'marotte_stage_seconds_count{stage="flush"} 1' in figures
        await socket.send_str('{"mute": true}')
        await asyncio.sleep(0.3)
        figures = await (await client.get("/metrics")).text()
        assert 'marotte_stage_seconds_count{stage="flush"} 2' in figures
        assert "marotte_muted 1" in figures
        said = len(players[1].numbers)
        await socket.send_str('{"mute": false}')
        await asyncio.sleep(0.1)
        assert len(players[1].numbers) > said
        assert "marotte_muted 0" in await (await client.get("/metrics")).text()
    async with asyncio.timeout(5):
        while (await client.delete(players[1].resource)).status != 404:  # noqa: ASYNC110 - the performance is over
            await asyncio.sleep(0.02)
    for player in players:
        await player.close()


async def test_nobody_performs(client):
    player = Player(client)
    response = await player.ask()
    assert response.status == 409
    assert int(response.headers["Retry-After"]) > 0
    await player.close()


async def test_only_so_many_watch(client, monkeypatch):
    monkeypatch.setattr(house, "MOST_SESSIONS", 2)
    async with client.ws_connect("/pcm"):
        players = [Player(client) for _ in range(3)]
        assert [(await player.ask()).status for player in players] == [201, 201, 503]
        await asyncio.gather(*[player.close() for player in players])


async def test_only_so_many_programs_speak(client):
    async with client.ws_connect("/pcm") as first, client.ws_connect("/pcm"):
        with pytest.raises(WSServerHandshakeError, match="503"):
            await client.ws_connect("/pcm")
        await first.close()
        async with asyncio.timeout(5):
            while True:
                try:
                    third = await client.ws_connect("/pcm")
                except WSServerHandshakeError:
                    await asyncio.sleep(0.02)
                else:
                    break
        await third.close()


async def test_what_waits_when_the_socket_is_closed_is_still_spoken():
    address = asyncio.get_running_loop().create_future()
    cast = [Choice("one", lambda: LoudnessAnimator(25, 0, (256, 256)))]
    serving = asyncio.create_task(serve(cast, Access(), 0, address.set_result))
    async with ClientSession(await address) as client:  # TestServer ends requests with their connections, ours does not
        async with client.ws_connect("/pcm") as socket:
            await socket.send_bytes(pcm(0.8))
        player = Player(client)
        await player.join()
        async with asyncio.timeout(5):
            while player.state != "closed":  # noqa: ASYNC110 - when all is said, the performance is over
                await asyncio.sleep(0.02)
        await player.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize(
    ("say", "code", "reason"),
    [
        ("hello", 1003, 'the only texts are "flush" and {"mute": true} or false'),
        ('{"mute": 2}', 1003, "the only texts are"),
        (bytes(house.MOST_BYTES + 1), 1009, None),
        (bytes(40_000), 1008, "More than 1 s of sound would wait"),
    ],
)
async def test_programs_that_say_something_else(client, monkeypatch, say, code, reason):
    monkeypatch.setattr(pcm_socket, "MOST_WAITING_S", 1)
    async with client.ws_connect("/pcm") as socket:
        if isinstance(say, bytes):
            await socket.send_bytes(say)
        else:
            await socket.send_str(say)
        message = await socket.receive(5)
        assert message.type is WSMsgType.CLOSE
        assert message.data == code
        assert reason is None or reason in message.extra
    assert (await client.get("/puppets")).status == 200


async def test_a_plain_request_is_told_what_the_socket_is(client):
    response = await client.get("/pcm")
    assert response.status == 426
    with pytest.raises(WSServerHandshakeError, match="404"):
        await client.ws_connect("/pcm?puppet=7")


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
async def test_offers_to_watch_are_sdp(client, kind):
    async with client.ws_connect("/pcm"):
        response = await client.post("/whep", data="v=0", headers={"Content-Type": kind})
        assert response.status == 415
        response = await client.post("/whep", data="v=0", headers={"Content-Type": "application/sdp"})
        assert response.status == 400
