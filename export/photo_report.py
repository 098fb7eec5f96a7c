"""report.html of a puppet from a photo: what the photo is good for, and the mouth at moments of the spoken example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from export.engine import FOR_VOICE, load
from models.background import Frame
from models.training.page import picture_tag, verdict_table, write_page
from models.training.verdict import Finding
from models.video import read_sound
from models.voice_stream import SAMPLE_RATE, VoiceStream

EXAMPLE = Path(__file__).parents[1] / "models" / "bundled" / "hello.wav"
MOMENTS = 8
STRETCH_S = 0.3
"""Of which a moment is the one that moves the face most; the voice stream keeps no more."""


def write_photo_report(
    folder: Path,
    title: str,
    findings: Sequence[Finding],
    drawn: Callable[[Float32[NDArray[np.float32], " K"]], Frame],
) -> None:
    """Write report.html into the puppet's folder.

    `drawn`: the face and the lips, one above the other, at an expression; all of one size.
    """
    faces = [drawn(expression) for expression in spoken(folder / "expression.onnx")]
    parts = [
        picture_tag(np.hstack(faces), "The puppet at moments of the example"),
        f"<p>The puppet at {MOMENTS} moments of {EXAMPLE.name}, evenly spread.</p>",
        "<h2>The photo</h2>",
        verdict_table(findings),
        "<p>No figures: there is no video of the person to compare the puppet with.</p>",
    ]
    write_page(folder, title, parts)


def spoken(network: Path) -> list[Float32[NDArray[np.float32], " K"]]:
    """Expressions at MOMENTS of the example: the largest of a stretch each."""
    voice = VoiceStream(load(network, FOR_VOICE), 80)
    sound = read_sound(EXAMPLE)
    assert sound is not None
    found, state, heard = [], voice.initial_state(), 0
    for end in np.linspace(0, len(sound), MOMENTS + 1)[1:].astype(int).tolist():
        before = max(heard, end - round(STRETCH_S * SAMPLE_RATE))
        for part in (sound[heard:before], sound[before:end]):
            state = voice.push(part, state)
        assert state.rows is not None
        rows = state.rows
        found.append(rows[np.linalg.norm(rows, axis=1).argmax()])
        heard = end
    return found
