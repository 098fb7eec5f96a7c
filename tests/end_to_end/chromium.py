"""Drives a real Chromium, without a window, over its DevTools protocol."""

import asyncio
import base64
import json
import os
import re
import shutil
import tempfile
from contextlib import asynccontextmanager

import aiohttp
import pytest

PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(PATH is None, reason="Chromium is not installed")

FLAGS = [
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Addresses hidden behind .local names take a multicast to find, which containers do not always carry.
    "--disable-features=WebRtcHideLocalIpsWithMdns,Translate,MediaRouter,OptimizationHints",
]


class Tab:
    """One page."""

    def __init__(self, socket, session):
        self._socket = socket
        self._session = session
        self._numbers = iter(range(1, 1 << 30))
        self._answers = {}
        self.complaints = []
        """What the page has written to the console as errors, and exceptions that nobody caught."""

    async def send(self, method, **parameters):
        """Call a method of the protocol; returns its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": self._session} if self._session else {}))
        return await asyncio.wait_for(answer, 20)

    async def listen(self):
        """Take what the browser says, until it is gone."""
        async for message in self._socket:
            said = json.loads(message.data)
            if answer := self._answers.pop(said.get("id"), None):
                if "error" in said:
                    answer.set_exception(RuntimeError(said["error"]["message"]))
                else:
                    answer.set_result(said["result"])
            elif said.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(said["params"]["exceptionDetails"])
            elif said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.complaints.append(said["params"]["entry"])

    async def attach(self, url, permissions=()):
        """Open a tab."""
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        if permissions:
            await self.send("Browser.grantPermissions", permissions=list(permissions))
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.send(f"{domain}.enable")
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def evaluate(self, expression):
        """The value of a JavaScript expression; promises are waited for."""
        result = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", "an exception"))
        return result["result"].get("value")

    async def until(self, expression, seconds=15):
        """Wait until an expression is true; returns its value."""
        async with asyncio.timeout(seconds):
            while not (value := await self.evaluate(expression)):  # noqa: ASYNC110 - the page has no such event
                await asyncio.sleep(0.05)
        return value

    async def click(self, selector):
        """Click an element as a person does."""
        await self.evaluate(f"document.querySelector({selector!r}).click()")

    async def screenshot(self):
        """What is seen, as PNG."""
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def chromium(url, *flags, permissions=()):
    """A browser that shows the page at `url`; yields its `Tab`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            PATH, *FLAGS, *sandbox, *flags, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as client:
                async with asyncio.timeout(30):
                    while not (found := re.search(rb"ws://\S+", await process.stderr.readline())):
                        assert process.returncode is None, "Chromium has ended"
                socket = await client.ws_connect(found[0].decode(), max_msg_size=0)
                tab = Tab(socket, None)
                listening = asyncio.create_task(tab.listen())
                draining = asyncio.create_task(process.stderr.read())
                await tab.attach(url, permissions)
                yield tab
                listening.cancel()
                draining.cancel()
                await socket.close()
        finally:
            process.terminate()
            await process.wait()
