"""aiortc's private names, one by one: when a new release changes them, these tests say so."""

from fractions import Fraction
from types import SimpleNamespace

import aiortc
import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCRtpSender, codecs, rtp
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
)
from aiortc.rtcrtpreceiver import RTCRtpReceiver

from realtime.web import aiortc_patches


@pytest.fixture(autouse=True)
def installed():
    aiortc_patches.install()
    aiortc_patches.install()


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(aiortc, "__version__", "1.17.0")
    with pytest.raises(RuntimeError, match=r"aiortc 1\.17\.0 is installed, 1\.16\.x is needed"):
        aiortc_patches.install()


def packet(number):
    made = rtp.RtpPacket(payload_type=96, sequence_number=number % 65536, timestamp=960 * number)
    made.payload = made._data = bytes([number % 256])
    return made


async def passed_on(numbers, patch):
    """For each packet received, the packets whose sound a receiver hands to its decoder."""
    receiver = RTCRtpReceiver("audio", SimpleNamespace(state="new"))
    assert isinstance(receiver._RTCRtpReceiver__jitter_buffer, JitterBuffer)
    opus = RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48000, channels=2, payloadType=96)
    receiver._RTCRtpReceiver__codecs[96] = opus
    receiver._RTCRtpReceiver__decoder_thread = True
    if patch:
        aiortc_patches.hear_promptly(receiver)
    queue = receiver._RTCRtpReceiver__decoder_queue
    heard = []
    for number in numbers:
        await receiver._handle_rtp_packet(packet(number), arrival_time_ms=0)
        heard.append([queue.get_nowait()[1].data[0] for _ in range(queue.qsize())])
    return heard


async def test_sound_is_heard_at_once():
    assert await passed_on(range(6), patch=True) == [[number] for number in range(6)]


async def test_without_the_patch_it_is_not():
    assert (await passed_on(range(6), patch=False))[:4] == [[], [], [], []]


async def test_a_lost_packet_costs_no_delay_for_good():
    numbers = [number for number in range(60) if number != 20]
    heard = await passed_on(numbers, patch=True)
    assert heard[-1] == [59]
    assert [number for group in heard for number in group] == numbers


def packet_of_video(library, number=0):
    encoder = av.CodecContext.create(library, "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base = Fraction(1, 90_000)
    if library == "libx264":
        encoder.options = {"tune": "zerolatency"}
    frame = av.VideoFrame.from_ndarray(np.full((72, 64), 90, np.uint8), format="yuv420p")
    frame.pts, frame.time_base = 3600 * number, Fraction(1, 90_000)
    (packet,) = encoder.encode(frame)
    return packet


class Sender(RTCRtpSender):
    """One that is asked for things, without a network."""

    def __init__(self, track):
        super().__init__(track, SimpleNamespace(state="new", _stats_id=""))

    async def hear(self, packet):
        await self._handle_rtcp_packet(packet)


class OnePacket(MediaStreamTrack):
    kind = "video"

    def __init__(self, packet):
        super().__init__()
        self._packet = packet

    async def recv(self):
        return self._packet


def agreed(codec, packet):
    parameters = RTCRtpCodecParameters(mimeType=f"video/{codec}", clockRate=90000, payloadType=99)
    return SimpleNamespace(_codecs=[parameters], sender=Sender(OnePacket(packet)))


@pytest.mark.parametrize(
    ("codec", "library", "depayload"), [("H264", "libx264", h264_depayload), ("VP8", "libvpx", vp8_depayload)]
)
async def test_packets_are_cut_and_what_the_viewer_asks_for_is_told(codec, library, depayload):
    packet = packet_of_video(library, number=7)
    transceiver = agreed(codec, packet)
    assert aiortc_patches.codec_of(transceiver) == codec
    keys, rates = [], []
    aiortc_patches.tell(transceiver, lambda: keys.append(1), rates.append)
    sender = transceiver.sender
    encoded = await sender._next_encoded_frame(transceiver._codecs[0])
    assert encoded.timestamp == 7 * 3600
    decoder = av.CodecContext.create({"H264": "h264", "VP8": "libvpx"}[codec], "r")
    (seen,) = decoder.decode(av.Packet(b"".join(map(depayload, encoded.payloads))))
    assert seen.width == 64

    for kind in (rtp.RTCP_PSFB_PLI, rtp.RTCP_PSFB_FIR):
        await sender.hear(rtp.RtcpPsfbPacket(fmt=kind, ssrc=1, media_ssrc=sender._ssrc))
    assert len(keys) == 2
    estimate = rtp.pack_remb_fci(300_000, [sender._ssrc])
    await sender.hear(rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=estimate))
    assert rates == [pytest.approx(300_000, rel=0.01)]


def test_no_codec_before_there_is_agreement():
    assert aiortc_patches.codec_of(SimpleNamespace(_codecs=[])) is None


async def test_the_playout_delay_of_a_sender_can_be_changed():
    sender = Sender("video")
    delay = RTCRtpHeaderExtensionParameters(id=9, uri=aiortc_patches.PLAYOUT_DELAY)
    headers = sender._RTCRtpSender__rtp_header_extensions_map
    headers.configure(RTCRtpParameters(headerExtensions=[delay]))
    for milliseconds, written in ((60, bytes([0, 0x60, 6])), (0, bytes(3)), (2550, bytes([0x0F, 0xF0, 0xFF]))):
        aiortc_patches.set_playout_delay(sender, milliseconds)
        assert dict(rtp.unpack_header_extensions(*headers.set(rtp.HeaderExtensions()))) == {9: written}


@pytest.mark.parametrize("known", [True, False])
def test_browsers_that_know_it_are_told_the_playout_delay(known):
    mid = RTCRtpHeaderExtensionParameters(id=1, uri="urn:ietf:params:rtp-hdrext:sdes:mid")
    delay = RTCRtpHeaderExtensionParameters(id=9, uri=aiortc_patches.PLAYOUT_DELAY)
    headers = rtp.HeaderExtensionsMap()
    headers.configure(RTCRtpParameters(headerExtensions=[mid, delay] if known else [mid]))
    written = dict(rtp.unpack_header_extensions(*headers.set(rtp.HeaderExtensions(mid="0"))))
    assert written == {1: b"0"} | ({9: bytes([0, 0x60, 6])} if known else {})
    assert headers.get(*headers.set(rtp.HeaderExtensions(mid="0"))).mid == "0"


def test_it_is_offered_once():
    offered = [extension.uri for extension in codecs.HEADER_EXTENSIONS["video"]]
    assert offered.count(aiortc_patches.PLAYOUT_DELAY) == 1
    ids = [extension.id for kind in codecs.HEADER_EXTENSIONS.values() for extension in kind]
    assert len(set(ids)) == len(ids) - 1  # mid has the same one for both kinds
