"""What the voice network learns from: recordings of people with their fitted expressions, on one clock.

Letters: N video frames, T hops, K coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE
from models.training.visemes import UNKNOWN, Visemes, read_visemes
from models.video import read_sound

Signal = Float32[NDArray[np.float32], " samples"]
Motion = Float32[NDArray[np.float32], "T K"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A clip to learn from."""

    stem: str
    """Name of the clip's files without folder and ending."""
    person: str
    mouth_late: float
    """Seconds by which the mouth lags the sound in the file; measured by a predictor trained on other people."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording in memory, on the sound's clock: row k of `expression` is the face at hop boundary k (10 ms)."""

    recording: Recording
    sound: Signal
    expression: Motion
    valid: NDArray[np.bool_]
    """Whether row k lies between two well fitted frames."""
    visemes: Visemes
    """At each row; UNKNOWN without a label."""


def sound_files(folder: Path) -> dict[str, Path]:
    """Files with sound under a folder, by name without ending; a .wav beside a video replaces its sound."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".mpg", ".mp4", ".flac", ".wav"))
    return {path.stem: path for path in sorted(files, key=lambda path: path.suffix == ".wav")}


def load_clip(recording: Recording, fits: Path, clips: Path, visemes: Path | None = None) -> Clip:
    """Read a recording's sound, fit and labels and bring them to one clock.

    Args:
        recording: which one.
        fits: folder with <stem>.npz: expression [N, K], valid [N], fps ("30/1").
        clips: folder with the videos, searched with its subfolders.
        visemes: folder with the labels, if there are any.
    """
    with np.load(fits / f"{recording.stem}.npz") as fit:
        expression, valid, fps = fit["expression"], fit["valid"], Fraction(str(fit["fps"]))
    sound = read_sound(sound_files(clips)[recording.stem])
    if sound is None:
        raise ValueError(f"{recording.stem} has no sound.")
    clip = on_sound_clock(recording, sound, expression, valid, fps)
    return replace(clip, visemes=read_visemes(visemes, recording.stem, len(clip.valid)))


def load_voice(file: Path, visemes: Path | None) -> Clip:
    """A voice without a picture: nothing of its expression is known."""
    sound = read_sound(file)
    if sound is None:
        raise ValueError(f"{file} has no sound.")
    sound = sound[: len(sound) // HOP * HOP]
    rows = len(sound) // HOP + 1
    nothing = np.zeros((rows, 0), np.float32)
    labels = read_visemes(visemes, file.stem, rows)
    return Clip(Recording(file.stem, file.stem, 0.0), sound, nothing, np.zeros(rows, np.bool_), labels)


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
    known = inside & valid[before] & valid[after]
    unlabelled = np.full(len(known), UNKNOWN, np.int64)
    return Clip(recording, sound.astype(np.float32), rows.astype(np.float32), known, unlabelled)
