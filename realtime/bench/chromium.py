"""Chromium as the consumer, without a window: it speaks from a file in place of a microphone, and watches.

Its page (`chromium.html`) talks to us over one socket: clock, offer and answer, and in the end all that it has seen and
heard. The time of a frame is when it was handed over for composition (`presentationTime`); a screen adds its own 8 to
16 ms. The voice is taken to be at the microphone when the page gets it; what a real microphone and the browser's
processing of the voice add before is not in the figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import wave
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from aiohttp import WSMsgType, web
from numpy.typing import NDArray

from realtime.bench import frame_number
from realtime.bench.inside import Observed, Stage
from realtime.bench.over_webrtc import GRACE_S, answer, session
from realtime.bench.witness import THUMB, Recording, Witness
from realtime.clock import Clock
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE, Samples
from realtime.web.session import Session

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Addresses hidden behind .local names take a multicast to find, which containers do not always carry.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
PINGS = 40
"""Questions for the time; the quickest answer counts."""


async def chromium(stage: Stage) -> Observed:
    """Look with Chromium.

    Raises:
        InputError: it is not installed, or the page could not do its part.
    """
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        raise InputError(f"None of {', '.join(NAMES)} is installed, which --through chromium needs.")
    async with session(stage) as speaker:
        visit = _Visit(stage, speaker)
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            voice = Path(folder, "voice.wav")
            _write_wav(voice, stage.voice)
            sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
            fake = [f"--use-file-for-fake-audio-capture={voice}%noloop", f"--user-data-dir={folder}/profile"]
            async with _served(visit) as address:
                command = [program, *FLAGS, *sandbox, *fake, address]
                browser = await asyncio.create_subprocess_exec(
                    *command, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
                )
                try:
                    return await asyncio.wait_for(visit.over, len(stage.voice) / SAMPLE_RATE + GRACE_S)
                except TimeoutError:
                    raise InputError("Chromium has not done its part in time: is the machine too busy?") from None
                finally:
                    if browser.returncode is None:
                        browser.terminate()
                        await browser.wait()


@asynccontextmanager
async def _served(visit: _Visit) -> AsyncIterator[str]:
    app = web.Application()
    files = {"/": Path(__file__).with_suffix(".html"), "/sync.js": Path(__file__).parents[1] / "web/sync.js"}

    async def send(request: web.Request) -> web.FileResponse:
        return web.FileResponse(files[request.path])

    for path in files:
        app.router.add_get(path, send)
    app.router.add_get("/socket", visit.talk)
    app.router.add_get("/report", visit.report)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class _Visit:
    """What is said between the page and us."""

    def __init__(self, stage: Stage, speaker: Session) -> None:
        self.over: asyncio.Future[Observed] = asyncio.get_running_loop().create_future()
        self._stage = stage
        self._speaker = speaker

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        """Handle the page's socket."""
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        try:
            observed = await self._talk(socket)
            if not self.over.done():
                self.over.set_result(observed)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if not self.over.done():
                self.over.set_exception(error)
        return socket

    async def report(self, request: web.Request) -> web.Response:
        """What our own page asks its server."""
        return web.json_response({"sound_lag_ms": self._speaker.peer.sound_lag_ms})

    async def _talk(self, socket: web.WebSocketResponse) -> Observed:
        before = await _difference(socket, self._stage.clock)
        seconds = len(self._stage.voice) / SAMPLE_RATE
        wishes = {"seconds": seconds, "thumbs": self._stage.thumbs, "sound": self._stage.sound}
        await socket.send_json({"begin": wishes})
        arrays: list[bytes] = []
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                arrays.append(message.data)
                continue
            said = json.loads(message.data)
            if "failed" in said:
                raise InputError(f"The page could not do its part in Chromium: {said['failed']}.")
            if "offer" in said:
                await socket.send_json({"answer": await answer(self._stage, self._speaker, said["offer"])})
            if "hold_ms" in said:
                self._speaker.peer.hold_pictures(said["hold_ms"])
            if "done" in said:
                after = await _difference(socket, self._stage.clock)
                return _observed(arrays, before, after)
        raise InputError("Chromium ended before the voice did.")


async def _difference(socket: web.WebSocketResponse, clock: Clock) -> tuple[float, float]:
    """The page's time (s), and what it takes to make ours of it, by the quickest of some answers."""
    answers = []
    for number in range(PINGS):
        asked = clock.now()
        await socket.send_json({"clock": number})
        page = json.loads((await socket.receive()).data)["now"] / 1000
        answered = clock.now()
        answers.append((answered - asked, page, (asked + answered) / 2 - page))
    _, page, difference = min(answers)
    return page, difference


def _observed(arrays: list[bytes], before: tuple[float, float], after: tuple[float, float]) -> Observed:
    """What the page has sent, on our clock."""

    def ours(milliseconds: bytes) -> NDArray[np.float64]:
        page = np.frombuffer(milliseconds, np.float64) / 1000
        return page + np.interp(page, (before[0], after[0]), (before[1], after[1]))

    captured, captured_at, returned, returned_at, levels, presented, thumbs = arrays
    witness = Witness()
    pictures = np.frombuffer(thumbs, np.uint8).reshape(-1, THUMB, THUMB)
    rows = np.frombuffer(levels, np.uint8).reshape(-1, frame_number.BLOCKS)
    for at, (row, time) in enumerate(zip(rows, ours(presented), strict=True)):
        witness.see(frame_number.decode(row.astype(np.float64)), float(time), pictures[at] if len(pictures) else None)
    back = _recording(returned, ours(returned_at)) if returned_at else None
    return Observed(witness, _recording(captured, ours(captured_at)), back)


def _recording(samples: bytes, stamps: NDArray[np.float64]) -> Recording:
    sound = np.frombuffer(samples, np.float32)
    piece = len(sound) // len(stamps)
    return Recording.stamped(sound, np.arange(1, len(stamps) + 1) * piece, stamps)


def _write_wav(path: Path, voice: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((voice * 32767).astype("<i2").tobytes())
