"""Sounds made worse, and sounds in which nobody speaks; all synthetic, from a generator of random numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE
from models.training.expression_data import Signal

IDLE = {"noise": 0.25, "knocks": 0.25, "both": 0.15, "music": 0.25, "rustle": 0.05, "nothing": 0.05}
"""What is heard when nobody speaks, and how often."""
MUSIC_SHARE = 0.3
"""Of the noises behind voices."""


def with_noise(sound: Signal, rng: np.random.Generator, decibels_below: float) -> Signal:
    """Add coloured noise or music so much quieter than the sound's loud parts."""
    noise = music(len(sound), rng) if rng.random() < MUSIC_SHARE else coloured_noise(len(sound), rng)
    loud = np.sqrt((sound.astype(np.float64) ** 2).mean() + 1e-12)
    return (sound + noise * (loud * 10 ** (-decibels_below / 20))).astype(np.float32)


def in_room(sound: Signal, rng: np.random.Generator) -> Signal:
    """Reverberation as decaying noise (Polack's model; 0.15 to 0.6 s to -60 dB), through a dull or thin line."""
    seconds = rng.uniform(0.15, 0.6)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds) * rng.uniform(0.02, 0.08)
    tail[0] = 1.0
    size = len(sound) + len(tail)
    response = np.fft.rfft(tail, size)
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    low, high = rng.uniform(60, 300), rng.uniform(3000, 8000)
    line = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 8)
    wet = np.fft.irfft(np.fft.rfft(sound, size) * response * line, size)[: len(sound)]
    return wet.astype(np.float32)


def coloured_noise(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Noise of unit power whose spectrum falls by 0 to 9 dB per octave, with a hum now and then."""
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shape = np.maximum(hertz, 40.0) ** (-rng.uniform(0, 1.5))
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * shape, count)
    noise /= noise.std() + 1e-12
    if rng.random() < 0.3:
        hum = rng.choice([50.0, 60.0]) * 2 * np.pi / SAMPLE_RATE * np.arange(count)
        noise += rng.uniform(0.2, 1.0) * sum(np.sin(k * hum + rng.uniform(0, 6)) / k for k in range(1, 8))
    return noise


def rustle(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Rubbing, wind, scraping, taps on the microphone: noise that swells and fades by chance; power 1."""
    swell = np.convolve(rng.standard_normal(count // HOP + 200), np.hanning(int(rng.uniform(5, 60))), "same")
    loudness = np.interp(np.arange(count) / HOP, np.arange(len(swell)), swell / swell.std())
    out = coloured_noise(count, rng) * np.exp(rng.uniform(0.5, 2.5) * loudness)
    return np.asarray(out / (out.std() + 1e-12))


def music(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Chords and a melody of harmonic tones, plucked or held, over a beat now and then; power about 1."""
    out = np.zeros(count)
    beat = int(60 / rng.uniform(70, 150) * SAMPLE_RATE)
    key, scale = rng.uniform(100, 200), np.array([0, 2, 4, 5, 7, 9, 11])
    voices = int(rng.integers(1, 5))
    fall, held, vibrato = rng.uniform(0.5, 2.0), rng.random(voices) < 0.4, rng.uniform(0, 0.006)
    strength = 1 / np.arange(1, 13) ** fall
    drums = rng.random() < 0.5
    for start in range(-int(rng.integers(beat)), count, beat):
        for voice in range(voices):
            length = int(beat * rng.choice([0.5, 1, 1, 2]))
            begin = max(start, 0)
            stop = min(start + length, count)
            if stop <= begin or rng.random() < 0.15:
                continue
            time = np.arange(begin - start, stop - start) / SAMPLE_RATE
            pitch = key * 2 ** (scale[rng.integers(7)] / 12 + rng.integers(0, 3))
            phase = 2 * np.pi * pitch * time + vibrato / 5.5 * pitch * np.sin(2 * np.pi * 5.5 * time)
            keep = pitch * np.arange(1, 13) < SAMPLE_RATE / 2
            tone = sum(a * np.sin(k * phase) for k, a in enumerate(strength * keep, 1) if a)
            edge = np.minimum(1, time / 0.01) * np.clip((length / SAMPLE_RATE - time) / 0.03, 0, 1)
            out[begin:stop] += tone * edge * (1 if held[voice] else np.exp(-time / rng.uniform(0.1, 0.6)))
        if drums:
            begin, length = max(start, 0), min(int(0.15 * SAMPLE_RATE), count - max(start, 0))
            if length > 0:
                time = np.arange(length) / SAMPLE_RATE
                thump = np.sin(2 * np.pi * 60 * time) * np.exp(-time / 0.05)
                out[begin : begin + length] += 2 * thump + rng.standard_normal(length) * np.exp(-time / 0.02)
    return np.asarray(out / (out.std() + 1e-12))


def knocks(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Keys and knocks: short decaying bursts, 1 to 7 a second, peak power about 1."""
    out = np.zeros(count)
    length = int(0.06 * SAMPLE_RATE)
    for start in rng.integers(0, max(count - length, 1), max(1, int(rng.uniform(1, 7) * count / SAMPLE_RATE))):
        decay = np.exp(-np.arange(length) / (rng.uniform(0.002, 0.015) * SAMPLE_RATE))
        out[start : start + length] += coloured_noise(length, rng) * decay * rng.uniform(0.3, 1.0)
    return out


def idle_sound(
    speech: Signal, rng: np.random.Generator, seconds: float = 6.0
) -> tuple[Float32[NDArray[np.float32], " longer"], int]:
    """A stream in which nobody speaks at the end: sometimes speech before, then noise, knocks or nothing.

    Returns:
        The sound and the hop at which the silence starts.
    """
    count = int(seconds * SAMPLE_RATE)
    kind = rng.choice(list(IDLE), p=list(IDLE.values()))
    noise = np.zeros(count)
    if kind in ("music", "rustle"):
        noise += (music if kind == "music" else rustle)(count, rng) * 10 ** (rng.uniform(-60, -20) / 20)
    if kind in ("noise", "both"):
        noise += coloured_noise(count, rng) * 10 ** (rng.uniform(-80, -25) / 20)
    if kind in ("knocks", "both"):
        noise += knocks(count, rng) * 10 ** (rng.uniform(-60, 0) / 20)
    before = 0
    if rng.random() < 0.7:
        before = int(rng.uniform(0.2, 0.5) * count) // HOP * HOP
        start = rng.integers(0, max(len(speech) - before, 1))
        piece = speech[start : start + before]
        fade = np.minimum(1, np.arange(len(piece))[::-1] / (0.05 * SAMPLE_RATE))
        noise[: len(piece)] += piece * fade * 10 ** (rng.uniform(-10, 0) / 20)
        before = len(piece) // HOP
    return noise.astype(np.float32), before
