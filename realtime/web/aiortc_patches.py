"""What aiortc does not do for live faces, put into it; the only module that touches its private names.

Written for the version below, which `install` checks: another one is refused, not guessed at.

* Voice in: its jitter buffer holds back four packets (80 ms) always, and 280 ms for good after one lost packet.
* Picture in: its jitter buffer passes on a picture only when the next one begins.
* Voice out: its encoder keeps samples back.
* Picture out: a sender of finished packets tells nobody which key frames and bit rates its viewer asks for.
* Picture out: browsers delay pictures by 25-35 ms as they think fit, unless the RTP extension `playout-delay` says how
  long they may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from struct import pack

import aiortc
from aiortc import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver, codecs, rtp
from aiortc.codecs.base import Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensions, RtpPacket
from aiortc.utils import uint16_add

from realtime.sinks.voice_encoder import VoiceEncoder
from realtime.web.resequencer import Resequencer

VERSION = "1.16."
"""The releases of aiortc whose private names are known here."""
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
WITH_SOUND_MS = 60
"""How long browsers are to hold a picture back whose sound they play: as long as Chromium holds back the sound (36 ms,
50 on a busy machine) and we its packets (`voice_track.LAG`), so that both are seen and heard together."""
SILENT_MS = 0
"""The same for pictures without sound."""


def install() -> None:
    """Put the header extension in place for all connections made afterwards. May be called twice.

    Raises:
        RuntimeError: aiortc has a version that is not known here.
    """
    if not aiortc.__version__.startswith(VERSION):
        raise RuntimeError(
            f"aiortc {aiortc.__version__} is installed, {VERSION}x is needed: pip install 'aiortc==1.16.*'."
        )
    rtp.HeaderExtensionsMap = _DelayMap  # type: ignore[misc]
    offered = codecs.HEADER_EXTENSIONS["video"]
    if all(extension.uri != PLAYOUT_DELAY for extension in offered):
        offered.append(RTCRtpHeaderExtensionParameters(id=5, uri=PLAYOUT_DELAY))


def hear_promptly(receiver: RTCRtpReceiver) -> None:
    """Make a receiver of sound, which has received nothing yet, pass on its packets as they come."""
    receiver._RTCRtpReceiver__jitter_buffer = _NoBuffer()  # type: ignore[attr-defined]
    line: Resequencer[RtpPacket] = Resequencer()
    handle = receiver._handle_rtp_packet

    async def handle_in_order(packet: RtpPacket, arrival_time_ms: int) -> None:
        for next_one in line.push(packet.sequence_number, packet):
            await handle(next_one, arrival_time_ms=arrival_time_ms)

    receiver._handle_rtp_packet = handle_in_order  # type: ignore[method-assign]


class _NoBuffer:
    """Stands in for aiortc's JitterBuffer: every packet of sound is a frame, and its turn is now."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame]:
        return False, JitterFrame(packet._data, packet.timestamp)  # type: ignore[attr-defined]


def see_promptly(receiver: RTCRtpReceiver) -> None:
    """Make a receiver of pictures, which has received nothing yet, pass on each with its last packet."""
    receiver._RTCRtpReceiver__jitter_buffer = MarkerBuffer(capacity=512, is_video=True)  # type: ignore[attr-defined]


class MarkerBuffer(JitterBuffer):
    """Takes the marker, which the last packet of a picture bears, at its word."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        wants_key, frame = super().add(packet)
        return wants_key, self._picture_up_to(packet) if frame is None and packet.marker else frame

    def _picture_up_to(self, last: RtpPacket) -> JitterFrame | None:
        count = uint16_add(last.sequence_number, -(self._origin or 0)) + 1
        if count > self.capacity:  # it came too late
            return None
        packets = [self._packets[(last.sequence_number - back) % self.capacity] for back in reversed(range(count))]
        if any(packet is None or packet.timestamp != last.timestamp for packet in packets):
            return None
        self.remove(count)
        return JitterFrame(b"".join(packet._data for packet in packets), last.timestamp)  # type: ignore[union-attr]


def codec_of(transceiver: RTCRtpTransceiver) -> str | None:
    """The kind of video or sound that was agreed on, such as "H264"; None before that, or if there was no agreement."""
    codecs_agreed = transceiver._codecs
    return codecs_agreed[0].mimeType.partition("/")[2] if codecs_agreed else None


def payload_types(transceiver: RTCRtpTransceiver) -> frozenset[int]:
    """Those that were agreed on."""
    return frozenset(codec.payloadType for codec in transceiver._codecs if codec.payloadType is not None)


def tell(transceiver: RTCRtpTransceiver, ask_for_key: Callable[[], None], set_rate: Callable[[int], None]) -> None:
    """Tell what the viewer of a track of packets asks for. To be called when the codec is known, before any is sent.

    Args:
        transceiver: of video.
        ask_for_key: called when the viewer cannot go on without a key frame.
        set_rate: called with the bit/s that the viewer says its network carries.
    """
    packer = _Packer(codecs.get_encoder(transceiver._codecs[0]), set_rate)
    transceiver.sender._RTCRtpSender__encoder = packer  # type: ignore[attr-defined]
    transceiver.sender._send_keyframe = ask_for_key  # type: ignore[method-assign]


class _Packer:
    """Stands in for a sender's encoder: it cuts packets that are encoded already, and hands on the wanted rate."""

    def __init__(self, encoder: Encoder, set_rate: Callable[[int], None]) -> None:
        self.pack = encoder.pack
        self._set_rate = set_rate

    @property
    def target_bitrate(self) -> int:
        return 0  # aiortc asks whether there is one, never how much

    @target_bitrate.setter
    def target_bitrate(self, rate: int) -> None:
        self._set_rate(rate)


def encode_with(sender: RTCRtpSender, encoder: VoiceEncoder) -> None:
    """Make a sender, which has sent nothing yet, use this encoder."""
    sender._RTCRtpSender__encoder = encoder  # type: ignore[attr-defined]


def set_playout_delay(sender: RTCRtpSender, milliseconds: int) -> None:
    """Say how long the viewer's browser is to hold each picture back, from the next one on; a multiple of 10."""
    sender._RTCRtpSender__rtp_header_extensions_map.delay_ms = milliseconds  # type: ignore[attr-defined]


def disturb(transceiver: RTCRtpTransceiver, pass_on: Callable[[int | None, bool, Callable[[], object]], None]) -> None:
    """Put something between a connection and the network, for benchmarks.

    Args:
        transceiver: any of the connection's; negotiated.
        pass_on: called for each packet with its RTP payload type (None if it is not RTP), whether it comes in, and what
            passes it on, now or later.
    """
    transport = transceiver.sender.transport.transport
    receive, send = transport._recv, transport._send
    arrived: asyncio.Queue[bytes | ConnectionError] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()
    forwarding = False

    def start(work: Coroutine[None, None, None]) -> None:
        tasks.add(task := asyncio.create_task(work))
        task.add_done_callback(tasks.discard)

    async def forward() -> None:
        try:
            while True:
                data = await receive()
                pass_on(_payload_type(data), True, partial(arrived.put_nowait, data))
        except ConnectionError as error:
            arrived.put_nowait(error)

    async def receive_disturbed() -> bytes:
        nonlocal forwarding
        if not forwarding:
            forwarding = True
            start(forward())
        data = await arrived.get()
        if isinstance(data, ConnectionError):
            raise data
        return data

    async def send_quietly(data: bytes) -> None:
        with suppress(ConnectionError):  # it has ended meanwhile
            await send(data)

    async def send_disturbed(data: bytes) -> None:
        pass_on(_payload_type(data), False, lambda: start(send_quietly(data)))

    transport._recv, transport._send = receive_disturbed, send_disturbed


def _payload_type(packet: bytes) -> int | None:
    """By RFC 7983 and RFC 5761."""
    return packet[1] & 127 if 128 <= packet[0] < 192 and not 192 <= packet[1] < 224 else None


_Map = rtp.HeaderExtensionsMap


class _DelayMap(_Map):
    """The header extensions of a stream, with `playout-delay` on every packet if the browser knows it."""

    def __init__(self) -> None:
        super().__init__()
        self.delay_ms = WITH_SOUND_MS
        self._delay_id: int | None = None

    def configure(self, parameters: RTCRtpParameters) -> None:
        super().configure(parameters)
        for extension in parameters.headerExtensions:
            if extension.uri == PLAYOUT_DELAY:
                self._delay_id = extension.id

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        extensions = rtp.unpack_header_extensions(*super().set(values))
        if self._delay_id is not None:
            tens = self.delay_ms // 10  # 12 bits for the least and 12 for the most
            extensions.append((self._delay_id, pack("!L", tens << 12 | tens)[1:]))
        return rtp.pack_header_extensions(extensions)
