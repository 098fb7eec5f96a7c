"""The sink that is watched in a browser: a WebRTC track of pictures, and one of the sound that belongs to them."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import av
import cv2
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from realtime.clock import Clock
from realtime.errors import SinkLost
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk, StreamSpec, VideoFrame

T = TypeVar("T")

VIDEO_TIME_BASE = Fraction(1, 90_000)
PACKET = SAMPLE_RATE // 50
"""Samples sent at a time: 20 ms."""
LAG = 0.02
"""Seconds that sound leaves after its picture, so that packets are even though sound comes in pieces of a frame."""
MOST_WAITING = 0.1
"""Seconds of sound in hand from which packets are sent at once, to catch up."""


class WebRtcSink:
    """Offers each picture to the viewer, who takes the newest; the sound leaves in step."""

    def __init__(self, clock: Clock) -> None:
        self.video = _PictureTrack()
        """To be added to a peer connection, like `audio`."""
        self.audio = _VoiceTrack(clock)

    async def open(self, spec: StreamSpec) -> None:
        self._spec = spec

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        if "ended" in (self.video.readyState, self.audio.readyState):
            raise SinkLost("The viewer has left.")
        height, width = self._spec.height & ~1, self._spec.width & ~1
        # BT.601, limited range: what browsers take untagged H.264 for
        planes = np.asarray(cv2.cvtColor(frame.pixels[:height, :width], cv2.COLOR_RGB2YUV_I420), np.uint8)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts = int(frame.number / self._spec.fps / VIDEO_TIME_BASE)
        picture.time_base = VIDEO_TIME_BASE
        self.video.offer(picture)
        self.audio.offer(sound)

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.video.stop()
        self.audio.stop()


async def _next(mailbox: Mailbox[T]) -> T:
    """What comes next, or the error by which aiortc knows that a track has ended."""
    try:
        return await anext(mailbox)
    except StopAsyncIteration:
        raise MediaStreamError from None


class _PictureTrack(MediaStreamTrack):
    """One picture waits at most; a newer one takes its place."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._newest: Mailbox[av.VideoFrame] = Mailbox(1, Overflow.KEEP_NEWEST)

    def offer(self, picture: av.VideoFrame) -> None:
        self._newest.offer(picture)

    async def recv(self) -> av.VideoFrame:
        return await _next(self._newest)

    def stop(self) -> None:
        super().stop()
        self._newest.close()


class _VoiceTrack(MediaStreamTrack):
    """Cuts the sound into packets and sends them evenly."""

    kind = "audio"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._pieces: Mailbox[AudioChunk] = Mailbox(64, Overflow.KEEP_NEWEST)
        self._in_hand = AudioChunk(np.zeros(0, np.float32), 0)
        self._due: float | None = None

    def offer(self, sound: AudioChunk) -> None:
        self._pieces.offer(sound)

    async def recv(self) -> av.AudioFrame:
        await self._gather()
        now = self._clock.now()
        if self._due is None:
            self._due = now + LAG
        if len(self._in_hand.samples) > MOST_WAITING * SAMPLE_RATE or self._due < now - MOST_WAITING:
            self._due = now
        await self._clock.sleep_until(self._due)
        self._due += PACKET / SAMPLE_RATE
        packet = self._in_hand.samples[:PACKET]
        frame = av.AudioFrame.from_ndarray((packet * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._in_hand.start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._in_hand = self._in_hand.last(len(self._in_hand.samples) - PACKET)
        return frame

    async def _gather(self) -> None:
        """Wait for a packet's worth of sound, and take what else has come; where sound was lost there is silence."""
        while len(self._in_hand.samples) < PACKET or len(self._pieces):
            piece = await _next(self._pieces)
            gap = AudioChunk(np.zeros(piece.start - self._in_hand.end, np.float32), self._in_hand.end)
            self._in_hand = self._in_hand.followed_by(gap).followed_by(piece)

    def stop(self) -> None:
        super().stop()
        self._pieces.close()
