"""Who may use the server: each rule broken once."""

import asyncio
import datetime
import re

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fakes import LoudnessAnimator
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import InputError
from realtime.web import server
from realtime.web.access import Access, Reach
from realtime.web.house import Choice

TOKEN = "a-token-that-nobody-guesses"
CAST = [Choice("somebody", lambda: LoudnessAnimator(size=(64, 64)))]


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now.replace(year=now.year + 1)
    )
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def visit(access):
    return TestClient(TestServer(server.application(CAST, access)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_nothing(host):
    assert Access(host).reach is Reach.MACHINE


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "93.184.216.34", "example.org", ""])
def test_other_machines_need_token_and_tls_or_a_word(host, pems):
    certificate, key = pems
    for incomplete in ({}, {"token": TOKEN}, {"certificate": certificate, "key": key}):
        with pytest.raises(InputError, match=r"give --token and TLS .* or say --insecure"):
            Access(host, **incomplete)
    assert Access(host, TOKEN, certificate, key).tls() is not None
    assert Access(host, insecure=True).tls() is None


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("192.168.1.5", Reach.NETWORK),
        ("10.1.2.3", Reach.NETWORK),
        ("fd00::1", Reach.NETWORK),
        ("0.0.0.0", Reach.WORLD),
        ("::", Reach.WORLD),
        ("93.184.216.34", Reach.WORLD),
        ("example.org", Reach.WORLD),
    ],
)
def test_from_where_it_can_be_reached(host, reach):
    assert Access(host, insecure=True).reach is reach


def test_what_does_not_fit_together(pems, tmp_path):
    certificate, key = pems
    with pytest.raises(InputError, match="belong together"):
        Access(certificate=certificate)
    with pytest.raises(InputError, match="too easy to guess"):
        Access(token="secret")
    with pytest.raises(InputError, match="cannot be used for TLS: No such file"):
        Access(certificate=tmp_path / "none.pem", key=key).tls()
    with pytest.raises(InputError, match="do not fit together, or are not PEM"):
        Access(certificate=key, key=certificate).tls()


@pytest.mark.parametrize("path", ["/puppets", "/puppets/0/preview", "/sessions/x", "/metrics", "/pcm"])
async def test_without_the_token_nothing_but_the_page(path):
    async with visit(Access(token=TOKEN)) as client:
        assert (await client.get("/")).status == 200
        assert (await client.get("/app.js")).status == 200
        assert (await client.get("/healthz")).status == 200
        for wrong in (
            {},
            {"Authorization": TOKEN},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": "Bearer é"},
        ):
            response = await client.get(path, headers=wrong)
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert TOKEN not in await response.text()
        assert (await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})).status != 401
        assert (await client.get(f"{path}?token={TOKEN}")).status == 401


@pytest.mark.parametrize("path", ["/offer", "/whep"])
async def test_without_the_token_nobody_comes(path):
    async with visit(Access(token=TOKEN)) as client:
        assert (await client.post(path, data="v=0")).status == 401


@pytest.mark.parametrize("host", ["evil.example", "192.0.2.1", "0.0.0.0"])
async def test_a_local_server_has_local_names_only(host):
    async with visit(Access()) as client:
        assert (await client.get("/", headers={"Host": host})).status == 421


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 421), ("192.0.2.1:8080", 200), ("[2001:db8::1]", 200), ("localhost", 200)]
)
async def test_an_open_server_without_tls_has_numbers_only(host, status):
    async with visit(Access("0.0.0.0", insecure=True)) as client:
        assert (await client.get("/", headers={"Host": host})).status == status


async def test_an_open_server_sends_nothing_into_private_networks():
    voice = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\n"
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\na=rtpmap:96 H264/90000\r\n"
    inside = "a=candidate:1 1 udp 1 192.168.1.1 80 typ host\r\n"
    async with visit(Access("0.0.0.0", insecure=True)) as client:
        body = {"type": "offer", "sdp": f"v=0\r\n{voice}{inside}{video}"}
        response = await client.post("/offer", json=body)
        assert response.status == 400
        assert "only addresses of a private network" in await response.text()


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_foreign_page_cannot_open_the_socket(headers):
    async with visit(Access()) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.ws_connect("/pcm", headers=headers)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30))
def test_no_host_breaks_it(host):
    for access in (Access(), Access("0.0.0.0", insecure=True)):
        assert not access.answers_to(host) or re.fullmatch(r"[\w.:]+", host)


async def test_over_tls_with_the_token_and_the_pages_own_address(pems):
    certificate, key = pems
    access = Access("127.0.0.1", TOKEN, certificate, key)
    address = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.serve(CAST, access, 0, address.set_result))
    page, _, fragment = (await address).partition("#")
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+/", page)
    assert fragment == f"token={TOKEN}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as client:
        own = {"Authorization": f"Bearer {TOKEN}", "Origin": page.rstrip("/")}
        assert (await client.get(page + "puppets", headers=own)).status == 200
        assert (
            await client.get(page + "puppets", headers=own | {"Origin": "http" + page[5:].rstrip("/")})
        ).status == 403
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
