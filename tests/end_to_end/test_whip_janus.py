"""Publishing to a real Janus, and watching there."""

import asyncio

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fakes import ListSource, LoudnessAnimator, read_number, voice
from janus import ROOM, janus, needs_janus

from realtime.clock import MonotonicClock
from realtime.loop import run
from realtime.web.whip import WhipSink

pytestmark = needs_janus


async def watch(handle, publisher, numbers):
    """Subscribe to a publisher and read the numbers in the pictures; returns the connection and its reader."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks = {}
    pc.on("track", lambda track: tracks.update({track.kind: track}))
    joining = {"request": "join", "room": ROOM, "ptype": "subscriber", "streams": [{"feed": publisher}]}
    _, offer = await handle.ask(joining)
    await pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
    await pc.setLocalDescription(await pc.createAnswer())
    await handle.ask({"request": "start", "room": ROOM}, {"type": "answer", "sdp": pc.localDescription.sdp})

    async def read(track):
        try:
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    numbers.append(read_number(frame.to_ndarray(format="rgb24")))
        except MediaStreamError:
            pass

    return pc, [asyncio.create_task(read(track)) for track in tracks.values()]


async def test_a_puppet_is_seen_through_janus(tmp_path):
    clock, numbers = MonotonicClock(), []
    async with janus(tmp_path) as (address, front, attach):
        sink, source = WhipSink(address, None, clock), ListSource(voice(3), clock=clock)
        performing = asyncio.create_task(
            run(source, LoudnessAnimator(25, 0, (256, 256)), [sink], live=True, clock=clock)
        )
        async with asyncio.timeout(10):
            while not hasattr(front, "publisher"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        pc, readers = await watch(await attach(), front.publisher, numbers)  # who joins late needs a key frame
        await performing
        await pc.close()
        await asyncio.gather(*readers)
        assert front.left
    assert len(numbers) > 25
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 60
