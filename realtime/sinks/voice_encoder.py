"""A voice becomes packets of Opus, one for each piece, which bears that piece's own time."""

from __future__ import annotations

from fractions import Fraction

import av

from realtime.media import SAMPLE_RATE

CLOCK = 48_000
"""Units of a packet's time stamp in a second, whatever the sound's rate (RFC 7587)."""
RATE = 48_000
"""bit/s: a voice cannot be told from the original."""


class VoiceEncoder:
    """Stands in for aiortc's encoder of Opus.

    That one resamples first: it keeps samples back, and so what comes after a gap gets the time of what came before.
    Browsers take such a packet for one that was long on its way, and hold all sound back as long from then on.
    """

    def __init__(self) -> None:
        self._context = av.CodecContext.create("libopus", "w")
        self._context.sample_rate = SAMPLE_RATE
        self._context.time_base = Fraction(1, SAMPLE_RATE)
        self._context.format = "s16"
        self._context.layout = "mono"
        self._context.bit_rate = RATE
        self._context.options = {"application": "voip"}
        self._context.open()

    def encode(self, frame: av.AudioFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """Encode 20 ms at 16 kHz; returns the packet and its time stamp."""
        assert frame.pts is not None
        return [bytes(packet) for packet in self._context.encode(frame)], frame.pts * CLOCK // SAMPLE_RATE
