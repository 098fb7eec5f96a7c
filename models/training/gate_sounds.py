"""More sounds in which nobody speaks: instruments, drums, machines, beeps, clatter; all synthetic, of unit power.

A gate that has met few kinds of sounds takes every new one for speech. So these are drawn as widely as a few numbers
allow, rather than made to resemble anything in particular.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE
from models.training import expression_sounds

Sound = Float64[NDArray[np.float64], "_"]
Maker = Callable[[int, np.random.Generator], Sound]


def instruments(count: int, rng: np.random.Generator) -> Sound:
    """One to four players, each with a timbre, a rhythm and a range of their own."""
    beat, key = int(60 / rng.uniform(60, 180) * SAMPLE_RATE), rng.uniform(50, 110)
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) if rng.random() < 0.6 else np.array([0, 2, 3, 5, 7, 8, 10])
    chords = rng.choice([0, 2, 3, 4, 5], 4)
    out = np.zeros(count)
    for _ in range(int(rng.integers(1, 5))):
        timbre, step = _Timbre(rng), int(beat * rng.choice([0.25, 0.5, 0.5, 1, 2, 4]))
        octave, rest, sings = int(rng.integers(0, 4)), rng.uniform(0, 0.5), rng.random() < 0.5
        notes = np.array([0]) if sings else np.array([0, 2, 4, 6])[: int(rng.integers(2, 5))]
        player, walk = np.zeros(count), 0
        for i, start in enumerate(range(-int(rng.integers(step)), count, step)):
            if rng.random() < rest:
                continue
            root = chords[max(start, 0) // (4 * beat) % 4]
            walk = int(np.clip(walk + rng.integers(-2, 3), -4, 8))
            degrees = root + (np.array([walk]) if sings else notes if step >= beat else notes[i % len(notes), None])
            for degree in degrees:
                pitch = key * 2 ** (octave + degree // 7 + scale[degree % 7] / 12)
                _put(player, timbre.note(pitch, int(step * rng.uniform(0.5, 1.5)) + 1, rng), start)
        out += rng.uniform(0.2, 1.0) * _unit(player)
    return _unit(out)


class _Timbre:
    """How one instrument sounds: its partials, how a note begins and ends, how it wavers."""

    def __init__(self, rng: np.random.Generator) -> None:
        order = np.arange(1, 25)
        self.order = order * np.sqrt(1 + rng.choice([0.0, 0.0, 3e-4, 2e-3]) * order**2)
        self.strength = order ** -rng.uniform(0.3, 2.5) * rng.uniform(rng.uniform(0, 1), 1, 24)
        self.strength[1::2] *= rng.choice([1.0, 1.0, 0.1])  # a clarinet's
        self.attack, self.release = 10 ** rng.uniform(-3, -0.5), 10 ** rng.uniform(-2, -0.5)
        self.decay = 10 ** rng.uniform(-1.3, 0.8)
        self.dulls = rng.uniform(0, 1.0)
        self.vibrato, self.tremolo = (
            rng.choice([0, 1]) * rng.uniform(0, 0.012),
            rng.choice([0, 0, 1]) * rng.uniform(0, 0.5),
        )
        self.rate, self.slide = rng.uniform(4, 8), rng.choice([0, 0, 1]) * rng.uniform(-0.2, 0.2)
        self.breath = rng.choice([0, 0, 1]) * rng.uniform(0, 0.2)

    def note(self, pitch: float, length: int, rng: np.random.Generator) -> Sound:
        """One note."""
        time = np.arange(length + int(self.release * SAMPLE_RATE)) / SAMPLE_RATE
        wave = np.sin(2 * np.pi * self.rate * time + rng.uniform(0, 6))
        bend = 1 + self.vibrato * wave + self.slide * np.exp(-time / 0.06)
        phase = 2 * np.pi * np.cumsum(pitch * bend) / SAMPLE_RATE
        tone = self.breath * rng.standard_normal(len(time))
        for order, strength in zip(self.order, self.strength, strict=True):
            if pitch * order < 0.45 * SAMPLE_RATE:
                fade = np.exp(-time / self.decay * (1 + self.dulls * order))
                tone += strength * fade * np.sin(order * phase + rng.uniform(0, 6))
        edges = np.minimum(1, time / self.attack) * np.clip((time[-1] - time) / self.release, 0, 1)
        return np.asarray(tone * edges * (1 + self.tremolo * wave) * rng.uniform(0.4, 1))


def drums(count: int, rng: np.random.Generator) -> Sound:
    """Two to five drums that play a pattern over and over."""
    step, swing = int(60 / rng.uniform(70, 180) / rng.choice([2, 3, 4]) * SAMPLE_RATE), rng.uniform(0, 0.3)
    out, length = np.zeros(count), int(rng.choice([6, 8, 12, 16]))
    for _ in range(int(rng.integers(2, 6))):
        pattern = (rng.random(length) < rng.uniform(0.08, 0.6)) * rng.uniform(0.3, 1, length)
        hit, loud = _struck(rng), rng.uniform(0.2, 1)
        for i, start in enumerate(range(0, count, step)):
            if pattern[i % length] and rng.random() < 0.95:
                late = int(swing * step * (i % 2) + rng.uniform(0, 0.01) * SAMPLE_RATE)
                _put(out, loud * pattern[i % length] * rng.uniform(0.7, 1.1) * hit, start + late)
    return _unit(out + 1e-4 * rng.standard_normal(count))


def clatter(count: int, rng: np.random.Generator) -> Sound:
    """Keys, dishes, footsteps, tools, doors: things struck at random moments, in bursts, often twice."""
    out, things = 1e-4 * rng.standard_normal(count), [_struck(rng) for _ in range(int(rng.integers(1, 8)))]
    gap, twice = 10 ** rng.uniform(-1.2, 0.3), rng.choice([0, 0.05, 0.12]) * rng.uniform(0.5, 1.5)
    spread, start = rng.uniform(0.2, 1.2), int(rng.exponential(gap) * SAMPLE_RATE)
    while start < count:
        thing = things[int(rng.integers(len(things)))] * rng.uniform(0.2, 1)
        _put(out, thing, start)
        if twice:
            _put(out, rng.uniform(0.2, 0.9) * thing, start + int(twice * SAMPLE_RATE))
        start += int(gap * np.exp(spread * rng.standard_normal()) * (6 if rng.random() < 0.1 else 1) * SAMPLE_RATE) + 1
    return _unit(out)


def _struck(rng: np.random.Generator) -> Sound:
    """Something struck: a burst of filtered noise, a falling tone and ringing modes, each of chance strength."""
    time = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    low, high = np.sort(10 ** rng.uniform(1.8, 3.9, 2))
    burst = _band(rng.standard_normal(len(time)), low, high + 200)
    hit = rng.uniform(0, 1) * burst * np.exp(-time / 10 ** rng.uniform(-3, -0.8))
    fall, tone = rng.uniform(0, 3), 10 ** rng.uniform(1.6, 2.8)
    glide = tone * (time + 0.03 * fall * (1 - np.exp(-time / 0.03)))
    hit += (
        rng.choice([0, 1]) * rng.uniform(0, 1) * np.sin(2 * np.pi * glide) * np.exp(-time / 10 ** rng.uniform(-2, -0.7))
    )
    for _ in range(int(rng.integers(0, 6))):
        ring = np.sin(2 * np.pi * 10 ** rng.uniform(2.2, 3.85) * time + rng.uniform(0, 6))
        hit += rng.uniform(0, 0.6) * ring * np.exp(-time / 10 ** rng.uniform(-2.5, -0.6))
    return np.asarray(hit * np.minimum(1, time / 10 ** rng.uniform(-4, -2)))


def machine(count: int, rng: np.random.Generator) -> Sound:
    """Fans, engines, water, traffic, hum: a steady spectrum of any shape that may throb, start and stop."""
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    octave = np.log2(np.maximum(hertz, 30) / 30)
    shape = -octave * rng.uniform(-1, 9)
    for _ in range(int(rng.integers(0, 6))):
        shape += rng.uniform(-15, 25) * np.exp(-0.5 * ((octave - rng.uniform(0, 8)) / rng.uniform(0.02, 1)) ** 2)
    noise = _unit(np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * 10 ** (shape / 20), count))
    time = np.arange(count) / SAMPLE_RATE
    turn, slope = 10 ** rng.uniform(1.4, 2.8), rng.uniform(0, 2)
    speed = 2 * np.pi * np.cumsum(turn * (1 + rng.uniform(0, 0.1) * _wander(count, rng, 100))) / SAMPLE_RATE
    whir = np.zeros(count)
    for k in range(1, 20):
        if turn * k < 0.45 * SAMPLE_RATE:
            whir += k**-slope * rng.uniform(0, 1) * np.sin(k * speed + rng.uniform(0, 6))
    out = noise + rng.choice([0, 0, 1]) * 10 ** rng.uniform(-1, 0.7) * _unit(whir)
    out *= 1 + rng.choice([0, 1]) * rng.uniform(0, 0.9) * np.sin(2 * np.pi * 10 ** rng.uniform(-0.5, 1.5) * time)
    out *= np.exp(rng.uniform(0, 0.6) * _wander(count, rng, int(rng.uniform(10, 200))))
    if rng.random() < 0.4:  # bursts: tyres, drills, taps, breath
        out *= np.clip(
            rng.uniform(2, 30) * (_wander(count, rng, int(rng.uniform(10, 100))) - rng.uniform(-0.5, 1)), 0, 1
        )
    return _unit(out + 1e-5 * rng.standard_normal(count))


def beeps(count: int, rng: np.random.Generator) -> Sound:
    """Rings, alarms, dials, whistles, synthesizers: pure or modulated tones, steady, stepping or gliding."""
    step = int(10 ** rng.uniform(-1.3, 0.5) * SAMPLE_RATE)
    smooth = np.hanning(int(10 ** rng.uniform(-2.7, -0.9) * SAMPLE_RATE) + 3)
    smooth /= smooth.sum()
    steps = (count + len(smooth)) // step + 1
    base, spread = 10 ** rng.uniform(2.1, 3.5), rng.uniform(0, 0.6)
    pitch = base * np.exp(spread * rng.choice(rng.standard_normal(int(rng.integers(1, 6))), steps))
    on = (np.arange(steps) % 2 == 0) if rng.random() < 0.5 else rng.random(steps) < rng.uniform(0.4, 1.1)

    def drawn(values: NDArray[np.floating]) -> Sound:
        return np.convolve(np.repeat(values, step)[: count + len(smooth) - 1].astype(float), smooth, "valid")[:count]

    time = np.arange(count) / SAMPLE_RATE
    vibrato = 1 + rng.choice([0, 1]) * rng.uniform(0, 0.03) * np.sin(2 * np.pi * rng.uniform(3, 12) * time)
    phase = 2 * np.pi * np.cumsum(np.exp(np.minimum(drawn(np.log(pitch)), 8.9)) * vibrato) / SAMPLE_RATE
    tone = np.sin(phase + rng.choice([0, 0, 1]) * rng.uniform(0, 4) * np.sin(phase * rng.choice([0.5, 1, 2, 3, 1.41])))
    return _unit(tone * drawn(on.astype(float)) + 10 ** rng.uniform(-4, -1.5) * rng.standard_normal(count))


def drone(count: int, rng: np.random.Generator) -> Sound:
    """Mains, organs, strings, generators: one to five tones of any timbre that stay, for a breath or much longer."""
    mains = rng.random() < 0.4
    root = rng.choice([50.0, 60.0, 100.0, 120.0]) if mains else 10 ** rng.uniform(1.6, 2.8)
    slope, uneven, out_of_tune = rng.uniform(0, 2), rng.uniform(0, 1.5), 10 ** rng.uniform(-5, -2)
    length, edge = int(10 ** rng.uniform(-0.2, 1) * SAMPLE_RATE), int(10 ** rng.uniform(-2.5, -0.5) * SAMPLE_RATE)
    out = 10 ** rng.uniform(-5, -1.5) * expression_sounds.coloured_noise(count, rng)
    for start in range(-int(rng.integers(length)), count, length):
        chord = np.zeros(length)
        for _ in range(1 if mains else int(rng.integers(1, 6))):
            interval = rng.choice([1, 1, 6 / 5, 5 / 4, 4 / 3, 3 / 2, 2, 3])
            pitch = root * interval * (1 + out_of_tune * rng.standard_normal())
            order = np.arange(1, 40)[: int(0.45 * SAMPLE_RATE / pitch)]
            strength = order**-slope * 10 ** (uneven * rng.standard_normal(len(order)) / 2)
            begins = rng.uniform(0, 6, (len(order), 1))
            phase = begins + 2 * np.pi * pitch / SAMPLE_RATE * np.outer(order, np.arange(length))
            chord += strength @ np.sin(phase)
        fade = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / edge)
        _put(out, _unit(chord) * (1 if mains else fade), start)
    return _unit(out)


def _put(out: Sound, sound: Sound, start: int) -> None:
    """Add a sound from a sample on, as far as it fits."""
    begin, stop = max(start, 0), min(start + len(sound), len(out))
    if stop > begin:
        out[begin:stop] += sound[begin - start : stop - start]


def _band(sound: Sound, low: float, high: float) -> Sound:
    spectrum, hertz = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4), len(sound))


def _wander(count: int, rng: np.random.Generator, hops: int) -> Sound:
    """A smooth random curve that turns about once in so many hops; unit power."""
    hops = max(hops, 2)
    curve = np.convolve(rng.standard_normal(count // HOP + 4 * hops), np.hanning(2 * hops), "valid")
    return np.interp(np.arange(count) / HOP, np.arange(len(curve)), _unit(curve))


def _unit(sound: Sound) -> Sound:
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-12))


def band(count: int, rng: np.random.Generator) -> Sound:
    """Drums, instruments and a lead together."""
    out = rng.uniform(0.3, 1) * drums(count, rng)
    for player in (instruments, instruments, beeps, expression_sounds.chirps):
        if rng.random() < 0.6:
            out += rng.uniform(0.2, 1) * player(count, rng)
    return _unit(out)


def mixture(count: int, rng: np.random.Generator) -> Sound:
    """Two to four of everything there is."""
    out = np.zeros(count)
    for _ in range(int(rng.integers(2, 5))):
        out += 10 ** rng.uniform(-1, 0) * _unit(KINDS[int(rng.integers(len(KINDS)))](count, rng))
    return _unit(out)


KINDS: tuple[Maker, ...] = (
    instruments, instruments, instruments, drums, drums, clatter, clatter, machine, machine, beeps, drone, drone,
    expression_sounds.coloured_noise, expression_sounds.knocks, expression_sounds.music, expression_sounds.rustle,
    expression_sounds.chirps, expression_sounds.taps, expression_sounds.scraping,
)  # fmt: skip
"""All kinds, frequent ones several times."""


def anything(count: int, rng: np.random.Generator) -> Sound:
    """Half of the time a sound of one kind, else several together: they sound more like speech than each alone."""
    one = KINDS[int(rng.integers(len(KINDS)))]
    return (one, one, band, mixture)[int(rng.integers(4))](count, rng)
