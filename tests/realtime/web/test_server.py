import asyncio
import re
import socket
from html.parser import HTMLParser
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiortc import RTCConfiguration, RTCPeerConnection
from fakes import LoudnessAnimator

from realtime.errors import InputError
from realtime.web import house, server
from realtime.web.access import Access
from realtime.web.house import Choice
from realtime.web.peer import Peer

PAGE = Path(server.__file__).parent


def visit(make_animator=LoudnessAnimator, preview=None, access=None):
    return TestClient(TestServer(server.application([Choice("somebody", make_animator, preview)], access)))


@pytest.fixture
async def client():
    async with visit(lambda: LoudnessAnimator(size=(64, 64))) as client:
        yield client


async def sdp(audio="sendrecv", video="recvonly"):
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    if audio:
        pc.addTransceiver("audio", direction=audio)
    if video:
        pc.addTransceiver("video", direction=video)
    await pc.setLocalDescription(await pc.createOffer())
    description = pc.localDescription.sdp
    await pc.close()
    return description


async def offer(client, body=None, **headers):
    body = body if body is not None else {"type": "offer", "sdp": await sdp()}
    return await client.post("/offer", json=body, headers=headers)


async def test_the_page_and_its_headers(client):
    for path, kind in [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/puppets/0/preview", "image/svg"),
        ("/puppets", "application/json"),
        *((f"/{name}", "javascript") for name in server.SCRIPTS),
    ]:
        response = await client.get(path)
        assert response.status == 200
        assert kind in response.headers["Content-Type"]
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "microphone=(self)" in response.headers["Permissions-Policy"]
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_nothing_else_is_served(client):
    for path in (
        "/index.html",
        "/server.py",
        "/../server.py",
        "/%2e%2e/server.py",
        "/page",
        "/sessions/",
        "/puppets/1/preview",
        "/puppets/99999999999999999999/preview",
        "/puppets/-1/preview",
        "/whep/",
        "/sessions/x",
    ):
        assert (await client.get(path)).status == 404


async def test_the_puppets_preview(tmp_path):
    (tmp_path / "preview.jpg").write_bytes(b"jpeg")
    async with visit(preview=tmp_path / "preview.jpg") as client:
        assert await (await client.get("/puppets/0/preview")).read() == b"jpeg"
        assert await (await client.get("/puppets")).json() == [{"name": "somebody"}]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.0.2.1:8080", "0.0.0.0"]
)
@pytest.mark.parametrize("path", ["/", "/app.js", "/sessions/x"])
async def test_only_local_names_are_answered(client, host, path):
    response = await client.get(path, headers={"Host": host})
    assert response.status == 421
    assert "Content-Security-Policy" in response.headers


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80"])
async def test_every_local_name_is_answered(client, host):
    assert (await client.get("/", headers={"Host": host})).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://localhost:1"])
async def test_other_pages_cannot_make_offers(client, origin):
    assert (await offer(client, Origin=origin)).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_other_sites_cannot_make_offers_but_may_link(client, site):
    assert (await offer(client, **{"Sec-Fetch-Site": site})).status == 403
    assert (await client.get("/", headers={"Sec-Fetch-Site": site})).status == 200


async def test_our_own_page_can(client):
    own = f"http://127.0.0.1:{client.port}"
    response = await offer(client, Origin=own, **{"Sec-Fetch-Site": "same-origin"})
    assert response.status == 200
    answer = await response.json()
    assert len(answer["id"]) >= 21
    report = await (await client.get(f"/sessions/{answer['id']}")).json()
    assert report["counts"] == {}
    assert report["sound_lag_ms"] == 30


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_what_browsers_send_without_asking_is_refused(client, kind):
    headers = {"Content-Type": kind} if kind else {}
    response = await client.post("/offer", data=b'{"type": "offer", "sdp": "v=0"}', headers=headers)
    assert response.status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"offer"',
        b"\xff",
        b'{"type": "offer"}',
        b'{"type": "answer", "sdp": "v=0"}',
        b'{"type": "offer", "sdp": 1}',
    ],
)
async def test_bad_bodies(client, body):
    response = await client.post("/offer", data=body, headers={"Content-Type": "application/json"})
    assert response.status == 400
    assert re.search("JSON object|UTF-8", await response.text())


@pytest.mark.parametrize("puppet", [1, -1, 0.5, True, "zero", "٠", None, [], 1 << 80])
async def test_a_puppet_that_is_not_there(client, puppet):
    response = await offer(client, {"type": "offer", "sdp": await sdp(), "puppet": puppet})
    assert response.status == 404
    assert "numbers from 0 to 0" in await response.text()


async def test_pictures_are_held_back_for_the_sound(client, monkeypatch):
    held = []
    monkeypatch.setattr(Peer, "hold_pictures", lambda self, milliseconds: held.append(milliseconds))
    path = f"/sessions/{(await (await offer(client)).json())['id']}"
    assert held == [60]
    for milliseconds in (0, 90, 500):
        assert (await client.patch(path, json={"hold_ms": milliseconds})).status == 204
    for wrong in ({}, {"hold_ms": -1}, {"hold_ms": 501}, {"hold_ms": 1.5}, {"hold_ms": True}, {"hold_ms": "1"}, []):
        response = await client.patch(path, json=wrong)
        assert response.status == 400
        assert "must be" in await response.text()
    assert held == [60, 0, 90, 500]


async def test_who_speaks_can_mute_and_nobody_else(client):
    path = f"/sessions/{(await (await offer(client)).json())['id']}"
    for muted in (True, False):
        assert (await client.patch(path, json={"muted": muted})).status == 204
        assert (await (await client.get(path)).json())["muted"] == muted
    for wrong in (1, 0, "true", None, []):
        assert (await client.patch(path, json={"muted": wrong})).status == 400
    body = await sdp(audio="recvonly")
    watching = await client.post("/whep", data=body, headers={"Content-Type": "application/sdp"})
    watcher = watching.headers["Location"].replace("/whep/", "/sessions/")
    response = await client.patch(watcher, json={"muted": True})
    assert response.status == 403
    assert "Only who speaks" in await response.text()
    assert (await (await client.get(path)).json())["muted"] == 0
    assert (await client.patch("/sessions/x", json={"muted": True})).status == 404


async def test_each_puppet_has_its_animator():
    made = []
    cast = [Choice(str(number), lambda number=number: made.append(number) or LoudnessAnimator()) for number in range(3)]
    async with TestClient(TestServer(server.application(cast))) as client:
        for number in (2, 0):
            assert (await offer(client, {"type": "offer", "sdp": await sdp(), "puppet": number})).status == 200
    assert made == [2, 0]


async def test_a_huge_body(client):
    assert (await offer(client, {"type": "offer", "sdp": "v=0" + "x" * 100_000})).status == 413


async def test_a_body_that_does_not_come(client, monkeypatch):
    monkeypatch.setattr(house, "READ_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    host = f"Host: 127.0.0.1:{client.port}"
    writer.write(
        f"POST /offer HTTP/1.1\r\n{host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{".encode()
    )
    assert b"408" in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


@pytest.mark.parametrize(
    "change", ["rubbish", "no voice", "voice not sent", "two voices", "many addresses", "cut", "video only"]
)
async def test_offers_that_ask_for_something_else(client, change):
    good = await sdp()
    voice = good[good.index("m=audio") : good.index("m=video")]
    bad = {
        "rubbish": "hello",
        "no voice": await sdp(audio=None),
        "voice not sent": await sdp(audio="recvonly"),
        "two voices": good + voice,
        "many addresses": good + "a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n" * 65,
        "cut": good[:300] + "\r\nm=video 9 x\r\n",
        "video only": "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 97\r\n",
    }[change]
    response = await offer(client, {"type": "offer", "sdp": bad})
    assert response.status == 400, await response.text()
    text = await response.text()
    assert text.startswith("The offer")
    assert "hello" not in text
    assert (await offer(client)).status == 200  # and no place is lost
    assert (await offer(client)).status == 200


async def test_nothing_of_an_offer_is_logged(client, caplog):
    caplog.set_level("DEBUG", "realtime")
    secret = "s3cret-of-the-offer"
    good = await sdp()
    for bad in (f"v=0\r\n{secret}", good.replace("a=mid:0", f"a=rtpmap:{secret} x/y"), good.replace("a=mid:0", secret)):
        await offer(client, {"type": "offer", "sdp": bad})
    await offer(client)
    assert secret not in caplog.text
    assert "candidate" not in caplog.text


async def test_a_puppet_that_cannot_be_made_frees_its_place():
    def broken():
        raise RuntimeError("the puppet's strings are cut")

    async with visit(broken) as client:
        for _ in range(house.MOST_PERFORMANCES + 1):
            response = await offer(client)
            assert response.status == 500
            assert "terminal says why" in await response.text()


async def test_who_never_connects_is_let_go(client, monkeypatch):
    monkeypatch.setattr("realtime.web.peer.CONNECT_S", 0.05)
    answer = await (await offer(client)).json()
    async with asyncio.timeout(10):
        while (await client.get(f"/sessions/{answer['id']}")).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another port"):
            await server.serve([Choice("somebody", LoudnessAnimator)], Access(), taken.getsockname()[1], print)


async def test_it_says_where_it_is_and_stops_when_cancelled():
    address = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.serve([Choice("a", LoudnessAnimator)], Access(), 0, address.set_result))
    port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", await address)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.tags = set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids.add(dict(attributes).get("id"))


def test_the_page_is_whole_and_asks_nobody_else():
    text = {name: (PAGE / name).read_text() for name in server.PAGE.values()}
    page = _Page()
    page.feed(text["index.html"])
    for script in server.SCRIPTS:
        assert set(re.findall(r'byId\("(\w+)"\)', text[script])) <= page.ids
        assert set(re.findall(r'from "\./([\w.]+)"', text[script])) <= set(server.SCRIPTS)
    assert not any(
        "style" in attributes or any(name.startswith("on") for name in attributes) for _, attributes in page.tags
    )
    assert not [tag for tag, attributes in page.tags if tag == "script" and "src" not in attributes]
    for content in text.values():
        assert not re.search(r"https?://(?!www.w3.org/2000/svg)|url\(|@import", content)
