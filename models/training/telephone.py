"""What a voice goes through on its way: too much gain, a narrow line, a codec."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from models.audio_encoder import SAMPLE_RATE
from models.training.expression_data import Signal

DELAY = 104
"""Samples by which Opus delays: 6.5 ms."""


def over_the_line(sound: Signal, rng: np.random.Generator) -> Signal:
    """Clipped (one in three), band-limited (one in three), and always through Opus at 16 to 32 kbit/s."""
    if rng.random() < 1 / 3:
        loud = float(np.quantile(np.abs(sound), 0.999)) + 1e-9
        sound = np.clip(sound * (10 ** (rng.uniform(0, 12) / 20) / loud), -1, 1).astype(np.float32)
    if rng.random() < 1 / 3:
        hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
        low, high = rng.uniform(60, 300), rng.uniform(3200, 7000)
        line = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 12)
        sound = np.fft.irfft(np.fft.rfft(sound) * line, len(sound)).astype(np.float32)
    return through_opus(sound, int(rng.integers(16, 33)) * 1000)


def through_opus(sound: Signal, bits: int) -> Signal:
    """Encoded and decoded again, without delay."""
    import av

    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "flt"
    encoder.bit_rate, encoder.time_base = bits, Fraction(1, SAMPLE_RATE)
    encoder.options = {"application": "voip"}
    decoder = av.CodecContext.create("libopus", "r")
    padded = np.pad(sound, (0, SAMPLE_RATE // 10)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(padded[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    fifo, back = av.AudioFifo(), av.AudioResampler("flt", "mono", SAMPLE_RATE)
    fifo.write(frame)
    pieces = iter(lambda: fifo.read(SAMPLE_RATE // 50), None)
    packets = [packet for piece in (*pieces, None) for packet in encoder.encode(piece)]
    heard = [again for packet in packets for plain in decoder.decode(packet) for again in back.resample(plain)]
    out = np.concatenate([piece.to_ndarray().reshape(-1) for piece in heard])
    return out[DELAY : DELAY + len(sound)].astype(np.float32)
