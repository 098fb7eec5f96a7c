"""One viewer: a WebRTC connection, and the loop that turns the voice coming in over it into the face going out."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from realtime import loop
from realtime.clock import MonotonicClock
from realtime.errors import InputError, SinkLost
from realtime.ports import Animator
from realtime.sinks.webrtc import WebRtcSink
from realtime.sources.webrtc import TrackSource
from realtime.telemetry import Telemetry
from realtime.web import aiortc_patches

logger = logging.getLogger(__name__)

CONNECT_S = 10
"""Seconds that a browser has to connect after its offer was answered."""
CLOSE_S = 3
"""Seconds that closing a connection may take."""
MOST_CANDIDATES = 64
"""Addresses that an offer may name."""


class Session:
    """Answers one offer, then runs until the browser leaves, stays silent for good, or `close` is called."""

    def __init__(self, make_animator: Callable[[], Animator[Any]]) -> None:
        """A session whose animator is made, in a thread, when there is an offer to answer."""
        aiortc_patches.install()
        self._clock = MonotonicClock()
        self.telemetry = Telemetry(self._clock)
        self._make_animator = make_animator
        self._animator: Animator[Any] | None = None
        self._sink = WebRtcSink(self._clock)
        self._source: TrackSource | None = None
        self._connected = asyncio.Event()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # asks no server outside
        self._pc.on("track", self._on_track)
        self._pc.on("connectionstatechange", self._on_state)
        self._task: asyncio.Task[None] | None = None

    async def answer(self, offer: str) -> str:
        """Take a browser's SDP offer, with one track of sound and room for one of pictures; returns the SDP answer.

        Raises:
            InputError: the offer is none, or asks for something else.
        """
        _check(offer)
        self._animator = await asyncio.to_thread(self._make_animator)
        self._pc.addTrack(self._sink.video)
        self._pc.addTrack(self._sink.audio)
        for transceiver in self._pc.getTransceivers():
            if transceiver.kind == "video":  # has an effect only before the offer is set
                known = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences(sorted(known, key=lambda codec: codec.mimeType != "video/H264"))
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except Exception as error:
            logger.info("An offer could not be taken: %r", error)
            raise InputError("The offer is not one that can be answered.") from error
        if self._source is None:
            raise InputError("The offer has no voice in it: its sound must be sent to this server.")
        return _ask_for_short_packets(self._pc.localDescription.sdp)

    def start(self) -> asyncio.Task[None]:
        """Begin to animate as soon as the browser is connected.

        The task ends, and never fails, when the viewer is gone.
        """
        self._task = asyncio.create_task(self._live())
        return self._task

    async def close(self) -> None:
        """Let the viewer go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        else:
            await self._hang_up()

    async def _live(self) -> None:
        assert self._source is not None, "answer() comes first"
        assert self._animator is not None
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connected.wait()
            await loop.run(self._source, self._animator, [self._sink], live=True, telemetry=self.telemetry)
        except (SinkLost, TimeoutError) as reason:
            logger.info("A session ended: %s", str(reason) or "nobody connected")
        except Exception:
            logger.exception("A session failed")
        finally:
            await self._hang_up()

    async def _hang_up(self) -> None:
        self._sink.abort()
        if self._source is not None:
            self._source.close()
        try:  # threads of aiortc live on if this is left out
            await asyncio.wait_for(self._pc.close(), CLOSE_S)
        except TimeoutError:
            logger.warning("A connection did not close in %d s.", CLOSE_S)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind != "audio" or self._source is not None:
            track.stop()
            return
        for transceiver in self._pc.getTransceivers():
            if transceiver.receiver.track is track:
                aiortc_patches.hear_promptly(transceiver.receiver)
        self._source = TrackSource(track)

    def _on_state(self) -> None:
        if self._pc.connectionState == "connected":
            self._connected.set()
        elif self._pc.connectionState in ("failed", "closed") and self._task is not None:
            self._task.cancel()


def _check(offer: str) -> None:
    """One voice in, one picture out, and no crowd of addresses."""
    media = [line.split(" ")[0] for line in offer.splitlines() if line.startswith("m=")]
    if sorted(media) != ["m=audio", "m=video"] or not offer.startswith("v=0"):
        raise InputError("The offer must be SDP with one audio and one video section.")
    if offer.count("\na=candidate:") > MOST_CANDIDATES:
        raise InputError(f"The offer names more than {MOST_CANDIDATES} addresses.")


def _ask_for_short_packets(sdp: str) -> str:
    """Ask the browser to send its voice every 10 ms instead of 20."""
    return re.sub(r"(m=audio .*\r\n(?:c=.*\r\n)?)", r"\1a=ptime:10\r\na=maxptime:10\r\n", sdp, count=1)
