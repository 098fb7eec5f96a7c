"""Pictures become packets of H.264 or VP8, once for everybody who watches. Settings for a face in a call."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np

from realtime.media import VideoFrame

TIME_BASE = Fraction(1, 90_000)
"""Unit of a packet's time stamp, s: RTP's for video."""
LEAST_RATE, MOST_RATE = 250_000, 3_000_000
"""bit/s, whatever the size."""
BITS_PER_PIXEL = 5
"""Bits a second for each pixel, unless a viewer's network is slower."""
RATE_CHANGE = 0.3
"""Change of the wanted bit rate for which an encoder starts anew, with a key frame."""
KEY_FRAMES_APART = 1 << 14
"""Frames: key frames are made when somebody asks, not by the clock."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A kind of video, and the encoder of FFmpeg's that makes it without delay."""

    name: str
    """As in SDP."""
    encoder: str
    options: dict[str, str]
    """Of the encoder."""


CODECS = {
    codec.name: codec
    for codec in (
        Codec("H264", "libx264", {"preset": "superfast", "tune": "zerolatency", "sc_threshold": "0"}),
        Codec(
            "VP8", "libvpx", {"deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "error-resilient": "1"}
        ),
    )
}
"""By name, the one that costs less first."""


class VideoEncoder:
    """Encodes one stream. Sizes may change on the way; each size starts with a key frame."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._context: av.VideoCodecContext | None = None

    def encode(self, picture: av.VideoFrame, *, key: bool, rate: int) -> av.Packet[av.VideoStream]:
        """Encode a picture of I420.

        Args:
            picture: with its time stamp, later than the one before.
            key: whether it must be understood without those before.
            rate: wanted bit/s; followed when it has changed a lot.
        """
        context = self._context
        if (
            context is None
            or (context.width, context.height) != (picture.width, picture.height)
            or abs(rate / (context.bit_rate or 1) - 1) > RATE_CHANGE
        ):
            context = self._context = self._open(picture, rate)
        kind = av.video.frame.PictureType
        picture.pict_type = kind.I if key else kind.NONE
        (packet,) = context.encode(picture)
        return packet

    def _open(self, picture: av.VideoFrame, rate: int) -> av.VideoCodecContext:
        context = cast("av.VideoCodecContext", av.CodecContext.create(self._codec.encoder, "w"))
        context.width, context.height = picture.width, picture.height
        context.pix_fmt = "yuv420p"
        context.bit_rate = rate
        context.framerate = Fraction(30)
        context.time_base = TIME_BASE
        context.gop_size = KEY_FRAMES_APART
        context.thread_count = 1
        context.options = {**self._codec.options, "maxrate": str(rate), "bufsize": str(rate)}
        if self._codec.encoder == "libx264":
            context.profile = "Baseline"
        return context


def natural_rate(width: int, height: int) -> int:
    """bit/s that suit a size."""
    return max(LEAST_RATE, min(MOST_RATE, BITS_PER_PIXEL * width * height))


def i420(frame: VideoFrame, fps: Fraction) -> av.VideoFrame:
    """A picture as encoders take it; an odd row or column is left out."""
    height, width = frame.pixels.shape[0] & ~1, frame.pixels.shape[1] & ~1
    # BT.601, limited range: what browsers take untagged video for
    planes = np.asarray(cv2.cvtColor(frame.pixels[:height, :width], cv2.COLOR_RGB2YUV_I420), np.uint8)
    picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    picture.pts = int(frame.number / fps / TIME_BASE)
    picture.time_base = TIME_BASE
    return picture
