"""A real Janus with one video room, and in front of it the few lines of WHIP that it lacks."""

import asyncio
import itertools
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, web
from aiohttp.test_utils import TestServer, unused_port

PLUGINS = next(iter(Path("/usr/lib").glob("*/janus/plugins")), None)
needs_janus = pytest.mark.skipif(not (shutil.which("janus") and PLUGINS), reason="Janus is not installed")
ROOM = 1
NUMBERS = itertools.count()


class Handle:
    """Janus' side of one connection."""

    def __init__(self, client, url):
        self._client = client
        self._url = url

    async def attach(self):
        self._session = f"{self._url}/{(await self._post(self._url, janus='create'))['data']['id']}"
        plugin = await self._post(self._session, janus="attach", plugin="janus.plugin.videoroom")
        self._handle = f"{self._session}/{plugin['data']['id']}"
        return self

    async def ask(self, body, jsep=None):
        """Send a message; returns the event that follows: what the plugin says, and its SDP if any."""
        await self._post(self._handle, janus="message", body=body, **({"jsep": jsep} if jsep else {}))
        while True:
            async with self._client.get(self._session) as response:
                event = await response.json(content_type=None)
            if event["janus"] == "event" and "videoroom" in event["plugindata"]["data"]:
                data = event["plugindata"]["data"]
                assert "error" not in data, data
                if "jsep" in event or data["videoroom"] != "event" or "started" in data:
                    return data, event.get("jsep")

    async def leave(self):
        await self._post(self._session, janus="destroy")

    async def _post(self, url, **message):
        async with self._client.post(url, json={"transaction": str(next(NUMBERS)), **message}) as response:
            answer = await response.json(content_type=None)
        assert answer["janus"] in ("success", "ack"), answer
        return answer


class Front:
    """WHIP for a Janus: what is published to `/whip` is in the room, as `publisher`."""

    def __init__(self, attach):
        self._attach = attach
        self.left = False
        self.app = web.Application()
        self.app.router.add_post("/whip", self._publish)
        self.app.router.add_delete("/whip/1", self._leave)

    async def _publish(self, request):
        self._handle = await self._attach()
        jsep = {"type": "offer", "sdp": await request.text()}
        joining = {"request": "joinandconfigure", "room": ROOM, "ptype": "publisher"}
        data, answer = await self._handle.ask(joining, jsep)
        self.publisher = data["id"]
        headers = {"Location": "/whip/1"}
        return web.Response(status=201, text=answer["sdp"], content_type="application/sdp", headers=headers)

    async def _leave(self, request):
        await self._handle.leave()
        self.left = True
        return web.Response()


def _configure(folder, port):
    unused = ", ".join(path.name for path in PLUGINS.glob("*.so") if path.name != "libjanus_videoroom.so")
    transports = PLUGINS.with_name("transports")
    others = ", ".join(path.name for path in transports.glob("*.so") if path.name != "libjanus_http.so")
    (folder / "janus.jcfg").write_text(
        f'general: {{ configs_folder = "{folder}" plugins_folder = "{PLUGINS}" transports_folder = "{transports}"\n'
        f'  debug_level = 3 admin_secret = "none" }}\n'
        f'plugins: {{ disable = "{unused}" }}\ntransports: {{ disable = "{others}" }}\n'
    )
    (folder / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "plain" base_path = "/janus" http = true port = {port} ip = "127.0.0.1" https = false }}\n'
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text(
        f'room-{ROOM}: {{ description = "stage" publishers = 1 videocodec = "h264,vp8" audiocodec = "opus" }}\n'
    )


@asynccontextmanager
async def janus(folder):
    """Yields a WHIP address, the `Front` behind it, and what attaches a new `Handle`."""
    port = unused_port()
    _configure(folder, port)
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec("janus", "-F", str(folder), stdout=nothing, stderr=nothing)
    try:
        async with ClientSession() as client:

            async def attach():
                return await Handle(client, f"http://127.0.0.1:{port}/janus").attach()

            async with asyncio.timeout(15):
                while True:
                    try:
                        await attach()
                    except ClientError:
                        assert process.returncode is None, "Janus has ended"
                        await asyncio.sleep(0.05)
                    else:
                        break
            front = Front(attach)
            async with TestServer(front.app) as server:
                yield str(server.make_url("/whip")), front, attach
    finally:
        process.terminate()
        await process.wait()
