"""Held and sung vowels: what people try first, and what recorded speech has too little of; all synthetic.

A gate that has heard only running speech takes a long "ah" for an instrument.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE

Sound = Float64[NDArray[np.float64], "_"]

VOWELS = np.array([
    [270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440], [570, 840, 2410],
    [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [490, 1350, 1690],
], np.float64)  # fmt: skip
"""Hertz of three formants in ten vowels of men (Peterson and Barney, *Control Methods Used in a Study of the Vowels*,
JASA 1952)."""
OTHERS = np.array([[300, 1850, 2200], [260, 1000, 2200]], np.float64)
"""Lips rounded before a front tongue; a hum."""
FOURTH = 3500.0
HARMONICS = 70


def held_voice(count: int, rng: np.random.Generator) -> Sound:
    """Somebody who holds, sings, calls or babbles vowels, with pauses for breath; of unit power."""
    throat = rng.uniform(-0.08, 0.25)
    base = 110 * np.exp(3 * throat + rng.normal(0, 0.25))  # small people speak higher
    tilt, breath = rng.uniform(0.7, 1.8), 10 ** rng.uniform(-3, -1.2)
    long, sings = 10 ** rng.uniform(-0.5, 0.5), rng.random() < 0.4
    out, start = 10 ** rng.uniform(-5, -3) * rng.standard_normal(count), int(rng.uniform(0, 0.5) * SAMPLE_RATE)
    while start < count:
        hops = int(np.clip(long * rng.uniform(0.5, 1.5), 0.1, 4) * SAMPLE_RATE) // HOP
        pitch = base * 2 ** (rng.integers(-3, 13) / 12 if sings else rng.uniform(-0.2, 0.4))
        note = _note(hops, pitch, (throat, tilt, breath), rng)[: count - start]
        out[start : start + len(note)] += note
        start += hops * HOP + int(rng.choice([0.0, 0.05, 0.3, 1.0]) * rng.uniform(0.5, 1.5) * SAMPLE_RATE)
    return out / (np.sqrt(np.mean(out**2)) + 1e-12)


def _note(hops: int, pitch: float, voice: tuple[float, float, float], rng: np.random.Generator) -> Sound:
    """One vowel, or one that turns into another: harmonics of the glottis through the resonances of the throat."""
    throat, tilt, breath = voice
    count = hops * HOP
    time, hop = np.arange(count) / SAMPLE_RATE, np.linspace(0, 1, hops + 1)
    vibrato = rng.choice([0, 1]) * rng.uniform(0, 0.025) * np.sin(2 * np.pi * rng.uniform(4, 7) * time)
    slide = rng.choice([0, 1]) * rng.uniform(-0.3, 0.3) * time / time[-1]
    trembles = rng.uniform(0.002, 0.015) * np.interp(time, hop * time[-1], rng.standard_normal(hops + 1))
    hertz = pitch * np.exp(vibrato + slide + trembles)
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    first, last = np.log(_vowel(rng)) + throat, np.log(_vowel(rng)) + throat
    turns = 1 / (1 + np.exp(-rng.uniform(5, 40) * (hop - rng.uniform(0.2, 0.8)))) * rng.choice([0, 1])
    formants = np.exp(first + (last - first) * turns[:, None])
    widths = rng.uniform([50, 60, 90, 150], [110, 130, 200, 300])
    slow = hertz[np.minimum(np.arange(hops + 1) * HOP, count - 1)]
    note = np.zeros(count)
    for order in range(1, HARMONICS):
        at = order * slow
        if at.min() > 0.47 * SAMPLE_RATE:
            break
        strength = order**-tilt * _resonances(at, formants, widths) * (at < 0.48 * SAMPLE_RATE)
        note += np.interp(time, hop * time[-1], strength) * np.sin(order * phase)
    note /= np.sqrt(np.mean(note**2)) + 1e-12
    note += breath * rng.standard_normal(count)
    wavers = np.convolve(rng.standard_normal(hops + 10), np.ones(10) / 3, "valid")
    note *= 1 + rng.uniform(0, 0.3) * np.interp(time, hop * time[-1], wavers)
    attack, release = 10 ** rng.uniform(-2.5, -0.7), 10 ** rng.uniform(-2, -0.5)
    edges = np.minimum(1, time / attack) * np.clip((time[-1] - time) / release, 0, 1)
    return np.asarray(rng.uniform(0.5, 1) * edges * note)


def _vowel(rng: np.random.Generator) -> Float64[NDArray[np.float64], "4"]:
    """Formants between those of two vowels."""
    one, other = rng.choice(np.concatenate([VOWELS, OTHERS]), 2)
    between = rng.uniform(0, 0.5)
    return np.append(one ** (1 - between) * other**between, FOURTH) * np.exp(rng.normal(0, 0.05, 4))


def _resonances(
    hertz: Float64[NDArray[np.float64], " T"],
    formants: Float64[NDArray[np.float64], "T 4"],
    widths: Float64[NDArray[np.float64], "4"],
) -> Float64[NDArray[np.float64], " T"]:
    """What resonances in a row let through (Fant, *Acoustic Theory of Speech Production*, 1960)."""
    ratio = (hertz[:, None] / formants) ** 2
    return np.asarray(1 / np.sqrt((1 - ratio) ** 2 + ratio * (widths / formants) ** 2).prod(1))
