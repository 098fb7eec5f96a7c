"""One WebRTC connection over which somebody watches, and perhaps speaks. aiortc is spoken to here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from realtime.errors import InputError
from realtime.sinks.voice_encoder import VoiceEncoder
from realtime.sinks.webrtc import Viewer
from realtime.sources.webrtc import TrackSource
from realtime.web import aiortc_patches, sdp
from realtime.web.access import Reach

logger = logging.getLogger(__name__)

CONNECT_S = 10
"""Seconds that a peer has to connect after offer and answer."""
CLOSE_S = 2
"""Seconds that closing a connection may take."""


class Peer:
    """A connection that sends a viewer's tracks. Close it, whatever happens: threads of aiortc live on otherwise."""

    def __init__(self, viewer: Viewer, reach: Reach = Reach.MACHINE) -> None:
        """A connection that is still to be negotiated, by `answer`, or by `offer` and `accept`.

        Args:
            viewer: what is sent.
            reach: which of the other side's addresses are tried.
        """
        aiortc_patches.install()
        self.voice: TrackSource | None = None
        """What the peer says, if it speaks."""
        self.gone = asyncio.Event()
        """Set when the connection has ended."""
        self._viewer = viewer
        self._reach = reach
        self._connected = asyncio.Event()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # asks no server outside
        self._pc.on("track", self._on_track)
        self._pc.on("connectionstatechange", self._on_state)

    async def answer(self, offer: str, *, speaks: bool) -> str:
        """Take an SDP offer; returns the SDP answer.

        Args:
            offer: what the other side wants.
            speaks: whether its voice must come with it.

        Raises:
            InputError: the offer is none, or asks for something else.
        """
        sound = sdp.check(offer, speaks=speaks)
        offer = sdp.keep_reachable(offer, self._reach)
        self._add_tracks(voice="sendrecv" if speaks else "sendonly" if sound else None)
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except Exception as error:
            logger.info("An offer could not be taken: %s", type(error).__name__)  # its text quotes the offer
            raise InputError("The offer is not one that can be answered.") from error
        if speaks and self.voice is None:
            raise InputError("The offer has no voice in it: its sound must be sent to this server.")
        self._begin()
        self.hold_pictures(aiortc_patches.WITH_SOUND_MS if sound else aiortc_patches.SILENT_MS)
        return sdp.ask_for_short_packets(self._pc.localDescription.sdp)

    async def offer(self) -> str:
        """Make an offer to send picture and sound, with all addresses in it; to be followed by `accept`."""
        self._add_tracks(voice="sendonly")
        await self._pc.setLocalDescription(await self._pc.createOffer())
        return str(self._pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Take the answer to an offer.

        Raises:
            InputError: it is none.
        """
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except Exception as error:
            logger.info("An answer could not be taken: %s", type(error).__name__)
            raise InputError("The answer to our offer is not one that can be understood.") from error
        self._begin()

    def hold_pictures(self, milliseconds: int) -> None:
        """Have the other side hold each picture back for so long, from the next one on."""
        aiortc_patches.set_playout_delay(self._transceiver.sender, milliseconds)

    @property
    def sound_lag_ms(self) -> float:
        """How long after its picture sound is sent."""
        return round(1000 * self._viewer.audio.lag, 1)

    def disturb(self, pass_on: Callable[[bool | None, bool, Callable[[], object]], None]) -> None:
        """Put something between this negotiated connection and the network, for benchmarks.

        Args:
            pass_on: called for each packet with whether it is video (None if neither that nor voice), whether it comes
                in, and what passes it on, now or later.
        """
        video = aiortc_patches.payload_types(self._transceiver)

        def sort(payload_type: int | None, incoming: bool, then: Callable[[], object]) -> None:
            pass_on(None if payload_type is None else payload_type in video, incoming, then)

        aiortc_patches.disturb(self._transceiver, sort)

    async def connect(self) -> None:
        """Wait for the connection.

        Raises:
            TimeoutError: nobody came within `CONNECT_S` seconds.
        """
        async with asyncio.timeout(CONNECT_S):
            await self._connected.wait()

    async def close(self) -> None:
        """End the connection and all that belongs to it."""
        self._viewer.leave()
        if self.voice is not None:
            self.voice.close()
        try:
            await asyncio.wait_for(self._pc.close(), CLOSE_S)
        except TimeoutError:
            logger.warning("A connection did not close in %d s.", CLOSE_S)
        except Exception as error:  # noqa: BLE001 - aiortc cannot end what an odd offer has half begun
            logger.info("A connection was not there to be closed: %s", type(error).__name__)

    def _add_tracks(self, voice: str | None) -> None:
        """Offer our tracks. Directions are such that the other side can send us a voice at most."""
        self._transceiver = self._pc.addTransceiver(self._viewer.video, direction="sendonly")
        known = RTCRtpSender.getCapabilities("video").codecs
        # has an effect only before the offer is set
        self._transceiver.setCodecPreferences(sorted(known, key=lambda codec: codec.mimeType != "video/H264"))
        self._voice_transceiver = self._pc.addTransceiver(self._viewer.audio, direction=voice) if voice else None

    def _begin(self) -> None:
        video = self._viewer.video
        video.codec = aiortc_patches.codec_of(self._transceiver)
        aiortc_patches.tell(self._transceiver, video.ask_for_key, video.set_rate)
        voice = self._voice_transceiver
        if voice is not None and aiortc_patches.codec_of(voice) == "opus":
            aiortc_patches.encode_with(voice.sender, VoiceEncoder())

    def _on_track(self, track: MediaStreamTrack) -> None:
        for transceiver in self._pc.getTransceivers():
            if transceiver.receiver.track is track and transceiver.direction == "sendrecv":
                aiortc_patches.hear_promptly(transceiver.receiver)
                self.voice = TrackSource(track)
                return
        track.stop()

    def _on_state(self) -> None:
        if self._pc.connectionState == "connected":
            self._connected.set()
        elif self._pc.connectionState in ("failed", "closed"):
            self.gone.set()
