"""A viewer in a process of its own: speaks a voice over WebRTC in real time, and notes what it sees and hears.

    python -m realtime.bench.viewer VOICE.npy RESULT.npz [--thumbs] [--silent]

writes its SDP offer to standard output and reads the answer from standard input, one JSON string a line each. Times are
the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from realtime.bench.witness import Witness
from realtime.clock import Clock, MonotonicClock
from realtime.media import SAMPLE_RATE, Samples
from realtime.sources.resample import MonoResampler
from realtime.web.aiortc_patches import hear_promptly, see_promptly

RATE = 48_000
"""Samples per second of what is sent: Opus' own, since aiortc's encoder holds other sound back for a packet."""
PACKET = RATE // 50
"""Samples that are sent at a time: 20 ms."""


class _Microphone(MediaStreamTrack):
    """Hands over 20 ms at a time, when they have sounded."""

    kind = "audio"

    def __init__(self, voice: Samples, clock: Clock) -> None:
        super().__init__()
        self.origin: float | None = None
        at = np.arange(len(voice) * RATE // SAMPLE_RATE) * (SAMPLE_RATE / RATE)
        self._voice = (np.interp(at, np.arange(len(voice)), voice) * 32767).astype(np.int16)
        self._clock = clock
        self._sent = 0

    async def recv(self) -> av.AudioFrame:
        if self.origin is None:
            self.origin = self._clock.now()
        if self._sent + PACKET > len(self._voice):
            self.stop()
            raise MediaStreamError
        packet = self._voice[self._sent : self._sent + PACKET]
        frame = av.AudioFrame.from_ndarray(packet[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._sent
        self._sent += PACKET
        await self._clock.sleep_until(self.origin + self._sent / RATE)
        return frame


class _Viewer:
    """One connection, from the offer to the end of the voice."""

    def __init__(self, voice: Samples, thumbs: bool, sound: bool) -> None:
        self._clock = MonotonicClock()
        self._thumbs = thumbs
        self._microphone = _Microphone(voice, self._clock)
        self._witness = Witness()
        self._sound: list[Samples] = []
        self._stamps: list[float] = []
        self._readers: list[asyncio.Task[None]] = []
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.addTransceiver(self._microphone, direction="sendrecv" if sound else "sendonly")
        self._pc.addTransceiver("video", direction="recvonly")
        self._pc.on("track", self._on_track)

    async def run(self, seconds: float) -> dict[str, NDArray[Any]]:
        await self._pc.setLocalDescription(await self._pc.createOffer())
        print(json.dumps(self._pc.localDescription.sdp), flush=True)
        answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.sleep(seconds + 1)
        await self._pc.close()
        for reader in self._readers:
            with suppress(MediaStreamError):  # the track has ended
                await reader
        return {
            "origin": np.array(self._microphone.origin or 0.0),
            "sound": np.concatenate([np.zeros(0, np.float32), *self._sound]),
            "ends": np.cumsum([len(piece) for piece in self._sound], dtype=np.int64),
            "stamps": np.array(self._stamps),
            **self._witness.arrays(),
        }

    def _on_track(self, track: MediaStreamTrack) -> None:
        for transceiver in self._pc.getTransceivers():
            if transceiver.receiver.track is track:
                (see_promptly if track.kind == "video" else hear_promptly)(transceiver.receiver)
        self._readers.append(asyncio.create_task(self._see(track) if track.kind == "video" else self._hear(track)))

    async def _see(self, track: MediaStreamTrack) -> None:
        while True:
            frame = cast("av.VideoFrame", await track.recv())
            luma = np.asarray(frame.to_ndarray()[: frame.height], np.uint8)
            self._witness.look(luma, self._clock, self._thumbs)

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = MonoResampler()
        while True:
            frame = cast("av.AudioFrame", await track.recv())
            self._stamps.append(self._clock.now())
            self._sound.append(resampler.push(frame))


async def main(voice: Path, result: Path, options: list[str]) -> None:
    """Speak and look until the voice ends, and write what was seen."""
    samples = np.load(voice)
    seen = await _Viewer(samples, "--thumbs" in options, "--silent" not in options).run(len(samples) / SAMPLE_RATE)
    np.savez(result, allow_pickle=False, **seen)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
