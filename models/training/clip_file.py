"""What a video file itself says about its quality."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

MODERN = ("hevc", "av1", "vp9")
"""Codecs that need about 0.6 of the bits of the others."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """As the container and the first picture have it."""

    rate: Fraction
    """Pictures a second, before any are repeated or left out."""
    interlaced: bool
    bits_per_pixel: float
    """Of the compressed pictures, as H.264 would need them for this quality."""


def file_facts(path: Path) -> FileFacts:
    """Read packets and one picture of a file that `models.video.probe` accepted."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        interlaced = bool(next(container.decode(stream)).interlaced_frame)
        context = stream.codec_context
        container.seek(0)
        sizes = [packet.size for packet in container.demux(stream) if packet.size]
        gain = 1 / 0.6 if context.name in MODERN else 1.0
        bits = 8 * gain * sum(sizes) / (len(sizes) * context.width * context.height)
        return FileFacts(stream.average_rate or stream.guessed_rate or Fraction(25), interlaced, bits)
