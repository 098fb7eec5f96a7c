"""aiortc's private names, one by one: when a new release changes them, these tests say so."""

from fractions import Fraction
from types import SimpleNamespace

import aiortc
import av
import numpy as np
import pytest
from aiortc import codecs, rtcrtpsender, rtp
from aiortc.codecs.h264 import H264Decoder, H264Encoder, h264_depayload
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
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


def picture(number, size=(256, 256)):
    pixels = np.full((size[1], size[0], 3), 90, np.uint8)
    pixels[50:100, 10 + 5 * number : 60 + 5 * number] = (200, 50, 50)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = 3600 * number, Fraction(1, 90_000)
    return frame


def nal_types(payloads):
    return {payload[0] & 0x1F if payload[0] & 0x1F < 24 else payload[1] & 0x1F for payload in payloads}


def test_the_encoder_is_ours_and_its_pictures_decode():
    h264 = RTCRtpCodecParameters(mimeType="video/H264", clockRate=90000, payloadType=99)
    encoder, decoder = rtcrtpsender.get_encoder(h264), H264Decoder()
    assert type(encoder) is aiortc_patches.QuickH264Encoder
    for number in range(10):
        payloads, stamp = encoder.encode(picture(number))
        assert stamp == 3600 * number
        data = b"".join(h264_depayload(payload) for payload in payloads)
        (decoded,) = decoder.decode(JitterFrame(data=data, timestamp=stamp))  # no frame is held back
        assert decoded.width == 256
    vp8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=97)
    assert not isinstance(rtcrtpsender.get_encoder(vp8), H264Encoder)


def test_small_changes_of_rate_do_not_start_the_encoder_anew():
    encoder = aiortc_patches.QuickH264Encoder()
    encoder.encode(picture(0))
    first = encoder.codec
    encoder.target_bitrate = int(encoder.target_bitrate * 1.25)
    encoder.encode(picture(1))
    assert encoder.codec is first
    encoder.target_bitrate = int(encoder.target_bitrate * 1.5)
    encoder.encode(picture(2))
    second = encoder.codec
    assert second is not first
    encoder.encode(picture(3, (128, 128)))
    assert encoder.codec is not second


def test_a_key_frame_on_demand():
    encoder = aiortc_patches.QuickH264Encoder()
    encoder.encode(picture(0))
    plain, _ = encoder.encode(picture(1))
    forced, _ = encoder.encode(picture(2), force_keyframe=True)
    assert sum(map(len, forced)) > 2 * sum(map(len, plain))


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
