"""Made-up clips: known faces in known motion, as a noisy tracker would see them."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from models.camera import Camera, project, transform
from models.face_model import FaceModel
from models.tracker import Track
from models.training.heads import PUPILS


@dataclass(frozen=True)
class Truth:
    """What a made-up clip shows."""

    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    track: Track


def smooth(rng: np.random.Generator, frames: int, width: int, seconds: float) -> np.ndarray:
    """Random curves [frames, width] of unit variance that keep their value for about `seconds`, at 25 fps."""
    kernel = np.exp(-0.5 * (np.arange(-50, 51) / (25 * seconds)) ** 2)
    noise = rng.normal(size=(frames + 100, width))
    curves = np.stack([np.convolve(column, kernel, "valid") for column in noise.T], 1)
    return curves / np.sqrt((kernel**2).sum())


def made_up_clip(
    face: FaceModel, seed: int = 0, frames: int = 120, own: float = 0.7, noise: float = 0.2, crooked: float = 0.0
) -> Truth:
    """A person who speaks, 256 × 256 px at 25 fps, eyes 55 px apart; noise in px.

    `own` is the size of the identity; `crooked` pulls the person's left mouth corner upwards, in cm.
    """
    rng = np.random.default_rng(seed)
    camera = Camera(512.0, 128.0, 128.0, 256, 256)
    identity = (own * rng.normal(size=len(face.identity))).astype(np.float32)
    size = face.expression_scale * (np.arange(len(face.expression)) < 12)
    expression = (smooth(rng, frames, len(size), 0.08) * size).astype(np.float32)
    expression[:, 0] += face.expression_scale[0]
    rotation = (smooth(rng, frames, 3, 0.6) * [0.08, 0.2, 0.05]).astype(np.float32)
    translation = (smooth(rng, frames, 3, 0.6) * [0.5, 0.5, 1] + [0, 4, -58]).astype(np.float32)
    shapes = face.shape(identity, expression)
    near = np.exp(-((face.mean - face.mean[291]) ** 2).sum(-1) / 2)
    shapes = shapes + crooked * near[:, None] * np.array([0, 1, 0], np.float32)
    placed = transform(shapes, rotation, translation)
    view = project(camera, placed)
    chosen = view[:, face.landmarks[:, 1]]
    points = np.zeros((frames, 478, 3), np.float32)
    points[:, face.landmarks[:, 0], :2] = chosen[..., :2]
    points[:, face.landmarks[:, 0], 2] = (placed[:, face.landmarks[:, 1], 2] + 58) * 512 / 58
    for pupil, corners in zip(PUPILS, ((33, 133), (362, 263)), strict=True):
        ring = np.array([[0, 0, 0], [6, 0, 0], [0, -6, 0], [-6, 0, 0], [0, 6, 0]])
        points[:, pupil : pupil + 5] = points[:, corners].mean(1, keepdims=True) + ring
    points += noise * rng.normal(size=points.shape)
    track = Track(
        points.astype(np.float32), np.ones(frames, bool), np.ones(frames, np.float32),
        np.arange(frames) / 25, 256, 256, Fraction(25), 0.0,
    )  # fmt: skip
    return Truth(identity, expression, rotation, translation, track)
