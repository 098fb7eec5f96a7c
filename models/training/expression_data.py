"""What the voice network learns from: recordings of people with their fitted expressions, and sounds that are no speech.

Letters: N video frames, T hops, K coefficients, V vertices, R lip components.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from models.audio_encoder import BANDS, HOP, SAMPLE_RATE, AudioEncoder
from models.face_model import FaceModel
from models.video import read_sound

Signal = Float32[NDArray[np.float32], " samples"]
Motion = Float32[NDArray[np.float32], "T K"]

UPPER_LIP, LOWER_LIP = 13, 14
"""Tracker points in the middle of the inner lips."""
DEPTH_WEIGHT = 0.5
"""Trackers see depth worse than the picture plane."""
LOWER_FACE_WEIGHT = 0.2
"""Of the lower face against the lips."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip to learn from."""

    stem: str
    """Name of the clip's files without folder and ending."""
    person: str
    mouth_late: float
    """Seconds by which the mouth lags the sound in the file; measured by a predictor trained on other people."""
    until: float = 1.0
    """Part of the clip that is used, from its start; the rest is kept for judging."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording in memory, on the sound's clock: row k of `expression` is the face at hop boundary k (10 ms)."""

    recording: Recording
    sound: Signal
    expression: Motion
    valid: NDArray[np.bool_]
    """Whether row k lies between two well fitted frames."""


@dataclass(frozen=True, slots=True)
class LipMetric:
    """How far lips move, in centimetres, as a quadratic form of the coefficients."""

    form: Float64[NDArray[np.float64], "K K"]
    """Mean squared displacement of the lips (and a little of the lower face)."""
    gap: Float64[NDArray[np.float64], " K"]
    """Opening of the inner lips per unit of each coefficient."""

    @classmethod
    def of(cls, face: FaceModel) -> LipMetric:
        """The metric of a face model."""
        basis = face.expression.astype(np.float64)

        def form(region: str) -> Float64[NDArray[np.float64], "K K"]:
            rows = basis[:, face.regions[region]] * np.array([1, 1, DEPTH_WEIGHT])
            flat = rows.reshape(len(basis), -1)
            return flat @ flat.T / rows.shape[1]

        vertex = dict(face.landmarks.tolist())
        gap = basis[:, vertex[UPPER_LIP], 1] - basis[:, vertex[LOWER_LIP], 1]
        return cls(form("lips") + LOWER_FACE_WEIGHT * form("lower_face"), gap)


def load_clip(recording: Recording, fits: Path, clips: Path) -> Clip:
    """Read a recording's sound and fit and bring both to one clock.

    Args:
        recording: which one.
        fits: folder with <stem>.npz: expression [N, K], valid [N], fps ("30/1").
        clips: folder with the videos, searched with its subfolders; a .wav beside a video replaces its sound.
    """
    with np.load(fits / f"{recording.stem}.npz") as fit:
        expression, valid, fps = fit["expression"], fit["valid"], Fraction(str(fit["fps"]))
    files = sorted(clips.rglob(f"{recording.stem}.*"), key=lambda path: path.suffix != ".wav")
    sound = read_sound(files[0]) if files else None
    if sound is None:
        raise FileNotFoundError(f"No sound for {recording.stem} under {clips}.")
    count = int(len(expression) * recording.until)
    return on_sound_clock(recording, sound, expression[:count], valid[:count], fps)


def on_sound_clock(
    recording: Recording,
    sound: Signal,
    expression: Float32[NDArray[np.float32], "N K"],
    valid: NDArray[np.bool_],
    fps: Fraction,
) -> Clip:
    """A clip from its parts: expressions interpolated to the hop boundaries of the sound."""
    end = round((len(expression) / fps) * SAMPLE_RATE)
    sound = sound[: min(len(sound), end) // HOP * HOP]
    frame = (np.arange(len(sound) // HOP + 1) * HOP / SAMPLE_RATE + recording.mouth_late) * float(fps)
    last = len(expression) - 1
    before = np.clip(np.floor(frame).astype(int), 0, max(last - 1, 0))
    weight = np.clip(frame - before, 0, 1)[:, None].astype(np.float32)
    after = np.minimum(before + 1, last)
    rows = expression[before] * (1 - weight) + expression[after] * weight
    inside = (frame >= 0) & (frame <= last)
    return Clip(recording, sound.astype(np.float32), rows.astype(np.float32), inside & valid[before] & valid[after])


def decibels(sound: Signal, encoder: AudioEncoder) -> Float32[NDArray[np.float32], "bands T"]:
    """The encoder's view of a whole sound, before its floor."""
    with torch.inference_mode():
        return encoder.decibels(torch.from_numpy(sound)[None], encoder.initial_state())[0][0].numpy()


def spectrum(views: list[Float32[NDArray[np.float32], "bands T"]]) -> Float32[NDArray[np.float32], " bands"]:
    """Mean of each band over the hops in which somebody speaks."""
    everything = np.concatenate(views, 1)
    return everything[:, everything.max(0) > -35].mean(1).reshape(BANDS).astype(np.float32)


# ------------------------------------------------------------------------------------- sounds made worse, and no speech


def with_noise(sound: Signal, rng: np.random.Generator, decibels_below: float) -> Signal:
    """Add coloured noise so much quieter than the sound's loud parts."""
    noise = coloured_noise(len(sound), rng)
    loud = np.sqrt((sound.astype(np.float64) ** 2).mean() + 1e-12)
    return (sound + noise * (loud * 10 ** (-decibels_below / 20))).astype(np.float32)


def in_room(sound: Signal, rng: np.random.Generator) -> Signal:
    """Reverberation by noise that decays exponentially (Polack's model), 0.15 to 0.6 s to -60 dB, through a dull or thin line."""
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


def knocks(count: int, rng: np.random.Generator) -> Float64[NDArray[np.float64], " count"]:
    """Keys and knocks: short decaying bursts, 1 to 7 a second, peak power about 1."""
    out = np.zeros(count)
    length = int(0.06 * SAMPLE_RATE)
    for start in rng.integers(0, max(count - length, 1), max(1, int(rng.uniform(1, 7) * count / SAMPLE_RATE))):
        decay = np.exp(-np.arange(length) / (rng.uniform(0.002, 0.015) * SAMPLE_RATE))
        out[start : start + length] += coloured_noise(length, rng) * decay * rng.uniform(0.3, 1.0)
    return out


def idle_sound(speech: Signal, rng: np.random.Generator, seconds: float = 6.0) -> tuple[Signal, int]:
    """A stream in which nobody speaks at the end: sometimes speech before, then noise, knocks or nothing.

    Returns:
        The sound and the hop at which the silence starts.
    """
    count = int(seconds * SAMPLE_RATE)
    kind = rng.choice(["noise", "knocks", "both", "nothing"], p=[0.4, 0.25, 0.25, 0.1])
    noise = np.zeros(count)
    if kind in ("noise", "both"):
        noise += coloured_noise(count, rng) * 10 ** (rng.uniform(-75, -35) / 20)
    if kind in ("knocks", "both"):
        noise += knocks(count, rng) * 10 ** (rng.uniform(-50, -20) / 20)
    before = 0
    if rng.random() < 0.6:
        before = int(rng.uniform(0.2, 0.5) * count) // HOP * HOP
        start = rng.integers(0, max(len(speech) - before, 1))
        piece = speech[start : start + before]
        fade = np.minimum(1, np.arange(len(piece))[::-1] / (0.05 * SAMPLE_RATE))
        noise[: len(piece)] += piece * fade * 10 ** (rng.uniform(-10, 0) / 20)
        before = len(piece) // HOP
    return noise.astype(np.float32), before
