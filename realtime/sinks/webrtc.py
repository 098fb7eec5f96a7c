"""The sink that is watched over WebRTC, by any number of people: each picture is encoded once for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from realtime.clock import Clock, samples_before
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.video_encoder import CODECS, LEAST_RATE, VideoEncoder, i420, natural_rate
from realtime.sinks.voice_track import VoiceTrack

Packet: TypeAlias = "av.Packet[av.VideoStream]"

BACKLOG = 5
"""Pictures that may wait for a viewer's connection; with more, the viewer goes on from the next key frame."""
KEY_FRAME_GAP = 0.5
"""Seconds between two key frames at least, however many viewers join or ask."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The tracks of one viewer, to be added to a peer connection."""

    video: PictureTrack
    audio: VoiceTrack

    def leave(self) -> None:
        """Nothing more is sent."""
        self.video.stop()
        self.audio.stop()


@dataclass(frozen=True, slots=True)
class _Wish:
    """How the next picture is to be encoded."""

    key: bool
    rate: int


class WebRtcSink:
    """Shows pictures to all its viewers, who come and go; without any it costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._viewers: list[Viewer] = []
        self._encoders: dict[str, VideoEncoder] = {}
        self._next_key: dict[str, float] = {}
        self._worker: ThreadPoolExecutor | None = None

    def watch(self) -> Viewer:
        """One viewer more. Its pictures begin when `video.codec` is set and the track is read."""
        viewer = Viewer(PictureTrack(), VoiceTrack(self._clock))
        self._viewers.append(viewer)
        return viewer

    @property
    def viewers(self) -> int:
        """How many watch."""
        self._viewers = [viewer for viewer in self._viewers if viewer.video.readyState == "live"]
        return len(self._viewers)

    async def open(self, spec: StreamSpec) -> None:
        self._spec = spec
        self._worker = ThreadPoolExecutor(1, "encoder")

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        if not self.viewers:
            return
        for viewer in self._viewers:
            viewer.audio.offer(sound, samples_before(frame.number, self._spec.fps))
        wishes = self._wishes()
        if not wishes:
            return
        loop = asyncio.get_running_loop()
        packets = await loop.run_in_executor(self._worker, self._encode, frame, wishes)
        for codec, packet in packets.items():
            if packet.is_keyframe:
                self._next_key[codec] = self._clock.now() + KEY_FRAME_GAP
            for viewer in self._viewers:
                if viewer.video.codec == codec:
                    viewer.video.offer(packet)

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        for viewer in self._viewers:
            viewer.leave()
        if self._worker is not None:
            self._worker.shutdown(wait=False)

    def _wishes(self) -> dict[str, _Wish]:
        """For each codec that somebody waits for: a key frame if one is asked for and due, the least of the rates."""
        wishes = {}
        natural = natural_rate(self._spec.width, self._spec.height)
        for codec in CODECS:
            tracks = [v.video for v in self._viewers if v.video.codec == codec and v.video.waits]
            if not tracks:
                continue
            key = any(track.wants_key for track in tracks) and self._clock.now() >= self._next_key.get(codec, 0.0)
            rate = min([natural, *(track.rate for track in tracks if track.rate)])
            wishes[codec] = _Wish(key, max(LEAST_RATE, rate))
        return wishes

    def _encode(self, frame: VideoFrame, wishes: dict[str, _Wish]) -> dict[str, Packet]:
        """Runs in the encoder's thread."""
        picture = i420(frame, self._spec.fps)
        packets = {}
        for codec, wish in wishes.items():
            encoder = self._encoders.setdefault(codec, VideoEncoder(CODECS[codec]))
            packets[codec] = encoder.encode(picture, key=wish.key, rate=wish.rate)
        return packets


class PictureTrack(MediaStreamTrack):
    """Packets of video for one viewer: from a key frame on, and without holes."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.codec: str | None = None
        """A name of `CODECS`: what the viewer and we have agreed on."""
        self.rate: int | None = None
        """bit/s that the viewer's network is said to carry; None if nothing was said."""
        self.waits = False
        """Whether the viewer has begun to take pictures."""
        self.wants_key = True
        """Whether the viewer needs a key frame."""
        self.lost = 0
        """Packets that were not sent because the viewer could not take or understand them."""
        self._torn = True  # what comes next cannot be understood, unless it is a key frame
        self._packets: deque[Packet] = deque()
        self._arrived = asyncio.Event()

    def ask_for_key(self) -> None:
        """The viewer cannot go on without a key frame."""
        self.wants_key = True

    def set_rate(self, rate: int) -> None:
        """The viewer's network is said to carry this much, bit/s."""
        self.rate = rate

    def offer(self, packet: Packet) -> None:
        """Take the next packet of the stream."""
        if not self.waits:
            return
        if packet.is_keyframe:
            if self._torn:
                self.lost += len(self._packets)
                self._packets.clear()
            self._torn = self.wants_key = False
        elif len(self._packets) >= BACKLOG:
            self._torn = self.wants_key = True
        if self._torn:
            self.lost += 1
            return
        self._packets.append(packet)
        self._arrived.set()

    async def recv(self) -> Packet:
        self.waits = True
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        return self._packets.popleft()

    def stop(self) -> None:
        super().stop()
        self._arrived.set()
