"""What aiortc does not do for live faces, put into it; the only module that touches its private names.

Written for the version below, which `install` checks: another one is refused, not guessed at.

* Voice in: its jitter buffer holds back four packets (80 ms) always, and 280 ms for good after one lost packet.
* Picture out: x264 without a preset takes 6 ms at 512 px where `superfast` takes 1; the time base of 1/30 s makes
  frames collide; every 10 % of bit rate change starts the encoder anew.
* Picture out: browsers delay pictures by 25-35 ms as they think fit, unless the RTP extension `playout-delay` says how
  long they may.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from struct import pack

import aiortc
import av
from aiortc import codecs, rtcrtpsender, rtp
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import HeaderExtensions, RtpPacket

from realtime.web.resequencer import Resequencer

VERSION = "1.16."
"""The releases of aiortc whose private names are known here."""
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
DELAY_MS = 60
"""How long browsers hold a picture back: as long as Chromium holds back the sound (36 ms, 50 on a busy machine) and we
its packets (see `realtime.sinks.webrtc.LAG`), so that both are seen and heard together."""
RATE_CHANGE = 0.3
"""Change of the wanted bit rate for which the encoder starts anew, with a key frame."""


def install() -> None:
    """Put the encoder and the header extension in place for all connections made afterwards. May be called twice.

    Raises:
        RuntimeError: aiortc has a version that is not known here.
    """
    if not aiortc.__version__.startswith(VERSION):
        raise RuntimeError(
            f"aiortc {aiortc.__version__} is installed, {VERSION}x is needed: pip install 'aiortc==1.16.*'."
        )
    rtcrtpsender.get_encoder = _encoder  # type: ignore[attr-defined]
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


class QuickH264Encoder(H264Encoder):
    """x264 for a face in a call: one thread, no look-ahead, time stamps of 1/90000 s."""

    def _encode_frame(self, frame: av.VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
        context = self.codec
        if (
            context is None
            or (context.width, context.height) != (frame.width, frame.height)
            or abs(self.target_bitrate / (context.bit_rate or 1) - 1) > RATE_CHANGE
        ):
            context = self.codec = self._context(frame)
        picture_type = av.video.frame.PictureType
        frame.pict_type = picture_type.I if force_keyframe else picture_type.NONE
        yield from self._split_bitstream(b"".join(bytes(packet) for packet in context.encode(frame)))

    def _context(self, frame: av.VideoFrame) -> av.VideoCodecContext:
        context = av.VideoCodecContext.create("libx264", "w")
        context.width, context.height = frame.width, frame.height
        context.pix_fmt = "yuv420p"
        context.bit_rate = self.target_bitrate
        context.framerate = Fraction(30)
        context.time_base = Fraction(1, 90_000)
        context.thread_count = 1
        context.options = {"preset": "superfast", "tune": "zerolatency"}
        context.profile = "Baseline"
        return context


def _encoder(codec: RTCRtpCodecParameters) -> Encoder:
    return QuickH264Encoder() if codec.mimeType.lower() == "video/h264" else codecs.get_encoder(codec)


_Map = rtp.HeaderExtensionsMap


class _DelayMap(_Map):
    """The header extensions of a stream, with `playout-delay` on every packet if the browser knows it."""

    def __init__(self) -> None:
        super().__init__()
        self._delay_id: int | None = None

    def configure(self, parameters: RTCRtpParameters) -> None:
        super().configure(parameters)
        for extension in parameters.headerExtensions:
            if extension.uri == PLAYOUT_DELAY:
                self._delay_id = extension.id

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        extensions = rtp.unpack_header_extensions(*super().set(values))
        if self._delay_id is not None:
            tens = DELAY_MS // 10  # 12 bits for the least and 12 for the most
            extensions.append((self._delay_id, pack("!L", tens << 12 | tens)[1:]))
        return rtp.pack_header_extensions(extensions)
