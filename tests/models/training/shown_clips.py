"""Made-up clips with pictures: what a fit, a plan of crops and a folder prepared from them look like."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from face_clips import made_up_clip

from models.camera import Camera
from models.face_model import FaceModel
from models.training.fit_face import FaceFit


def made_up_fit(frames: int = 12, seed: int = 0) -> FaceFit:
    """A person of the bundled model who speaks, 256 × 256 px at 25 fps."""
    face = FaceModel.tracked()
    truth = made_up_clip(face, seed, frames)
    return FaceFit(
        face=face.personalise(truth.identity),
        expression=truth.expression,
        rotation=truth.rotation,
        translation=truth.translation,
        camera=Camera(512.0, 128.0, 128.0, 256, 256),
        residual=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        fps=Fraction(25),
    )


def at_rest(fit: FaceFit) -> FaceFit:
    """The same person, the head still in its first pose."""
    still = {
        name: np.repeat(getattr(fit, name)[:1], len(fit.expression), axis=0) for name in ("rotation", "translation")
    }
    return replace(fit, **still)


def pictures(frames: int) -> Iterator[np.ndarray]:
    """Frames of noise, each with its own mean."""
    rng = np.random.default_rng(0)
    for n in range(frames):
        yield rng.integers(0, 100 + 10 * n, (256, 256, 3), dtype=np.uint8)
