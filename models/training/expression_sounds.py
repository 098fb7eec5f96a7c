"""Sounds in which nobody speaks; all synthetic, from a generator of random numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE


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


def chirps(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Animals, squeaks, rings, sirens: harmonic tones that glide, one after another, without a mouth's formants."""
    out = np.zeros(count)
    lowest, wide = rng.uniform(150, 2500), rng.uniform(0.02, 0.8)
    fall, length = rng.uniform(0.0, 2.0), rng.uniform(0.04, 0.7)
    start = 0
    while start < count:
        size = min(int(length * rng.uniform(0.6, 1.5) * SAMPLE_RATE) + 1, count - start)
        along = np.linspace(0, 1, size)
        bow = rng.uniform(-wide, wide) * along + rng.uniform(-wide, wide) * np.sin(np.pi * along)
        pitch = lowest * np.exp(bow + rng.uniform(0, 0.02) * np.sin(rng.uniform(30, 200) * along))
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        strength = [k**-fall * rng.uniform(0.3, 1) * (pitch.max() * k < SAMPLE_RATE / 2) for k in range(1, 15)]
        tone = sum(a * np.sin(k * phase) for k, a in enumerate(strength, 1) if a)
        out[start : start + size] += tone * np.sin(np.pi * along) ** rng.uniform(0.3, 1.5) * rng.uniform(0.3, 1)
        start += size + int(rng.exponential(rng.choice([0.02, 0.3, 1.0])) * SAMPLE_RATE)
    return np.asarray(out / (out.std() + 1e-12))


def taps(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Fingers and bumps on the microphone, doors, steps: dull thuds with a click before, singly or in runs."""
    out = np.zeros(count)
    length = int(0.25 * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    start = int(rng.integers(0, SAMPLE_RATE))
    while start + length < count:
        thud = np.sin(2 * np.pi * rng.uniform(40, 250) * time + rng.uniform(0, 6)) * np.exp(
            -time / rng.uniform(0.01, 0.06)
        )
        click = coloured_noise(length, rng) * np.exp(-time / rng.uniform(0.001, 0.02)) * rng.uniform(0, 1)
        out[start : start + length] += (thud + click) * rng.uniform(0.3, 1)
        start += int(rng.choice([0.12, 0.3, 0.8, 2.0]) * rng.uniform(0.6, 1.6) * SAMPLE_RATE)
    return np.asarray(out / (out.std() + 1e-12))


def scraping(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Cloth, chairs, sawing, dishes: noise in one or two bands that comes in strokes."""
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shape = 0.02 + sum(
        np.exp(-0.5 * (np.log(np.maximum(hertz, 1) / rng.uniform(200, 6000)) / rng.uniform(0.1, 0.8)) ** 2)
        for _ in range(int(rng.integers(1, 4)))
    )
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * shape, count)
    stroke = np.clip(np.sin(2 * np.pi * rng.uniform(0.3, 6) * np.arange(count) / SAMPLE_RATE + rng.uniform(0, 6)), 0, 1)
    wander = np.convolve(rng.standard_normal(count // HOP + 200), np.hanning(int(rng.uniform(5, 80))), "same")
    swell = np.interp(np.arange(count) / HOP, np.arange(len(wander)), wander / wander.std())
    out = noise * (stroke ** rng.uniform(0.5, 3) + rng.uniform(0, 0.3)) * np.exp(rng.uniform(0, 1.5) * swell)
    return np.asarray(out / (out.std() + 1e-12))
