"""Consumers at the other end of a WebRTC connection, each in a process of its own: aiortc, and Chromium.

Both send the voice and get the picture and the matched voice back, through the very session that the web page uses.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from realtime.bench.bad_network import Kind
from realtime.bench.inside import Observed, Stage
from realtime.bench.witness import Recording, Witness
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE
from realtime.web.access import Reach
from realtime.web.session import Performance, Session

GRACE_S = 30
"""Seconds beyond the voice that a viewer may take to start and to end."""


@asynccontextmanager
async def session(stage: Stage) -> AsyncIterator[Session]:
    """A session that speaks through the stage's puppet and tells its telemetry."""
    performance = Performance(lambda: stage.rehearsal)
    performance.telemetry = stage.telemetry
    speaker = Session(performance, Reach.MACHINE)
    try:
        yield speaker
    finally:
        await speaker.close()


async def answer(stage: Stage, speaker: Session, offer: str) -> str:
    """Let the session answer, over the stage's network."""
    described = await speaker.speak(offer)
    network, clock = stage.network, stage.clock
    if network is not None:

        def pass_on(is_video: bool | None, incoming: bool, then: Callable[[], object]) -> None:
            kind = Kind.OTHER if is_video is None else Kind.VIDEO if is_video else Kind.VOICE
            now = clock.now()
            arrival = network.fate(kind, incoming, now)
            if arrival is not None:
                asyncio.get_running_loop().call_later(arrival - now, then)

        speaker.peer.disturb(pass_on)
    return described


async def webrtc(stage: Stage) -> Observed:
    """Look with an aiortc client in another process, which takes each picture with its last packet."""
    with TemporaryDirectory() as folder:
        voice, result = Path(folder, "voice.npy"), Path(folder, "seen.npz")
        np.save(voice, stage.voice)
        options = [*(["--thumbs"] if stage.thumbs else []), *(["--silent"] if not stage.sound else [])]
        command = [sys.executable, "-m", "realtime.bench.viewer", str(voice), str(result), *options]
        # in a session of its own, so that Ctrl-C is for us, and we end it
        viewer = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        try:
            async with session(stage) as speaker:
                await _introduce(viewer, stage, speaker)
                code = await asyncio.wait_for(viewer.wait(), len(stage.voice) / SAMPLE_RATE + GRACE_S)
        finally:
            if viewer.returncode is None:
                viewer.kill()
                await viewer.wait()
        if code:
            raise InputError(f"The viewer ended with code {code}; what it said of it stands above.")
        with np.load(result) as seen:
            heard = len(seen["ends"]) > 1
            returned = Recording.stamped(seen["sound"], seen["ends"], seen["stamps"]) if heard else None
            return Observed(Witness.from_arrays(seen), Recording(stage.voice, float(seen["origin"])), returned)


async def _introduce(viewer: Process, stage: Stage, speaker: Session) -> None:
    assert viewer.stdin is not None
    assert viewer.stdout is not None
    offer = await viewer.stdout.readline()
    if not offer:
        raise InputError("The viewer ended before it began; what it said of it stands above.")
    described = await answer(stage, speaker, json.loads(offer))
    viewer.stdin.write(json.dumps(described).encode() + b"\n")
    await viewer.stdin.drain()
