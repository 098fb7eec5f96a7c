"""The face model laid on one photo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from models.camera import Camera
from models.errors import TrackingError
from models.face_follower import FaceNetworks
from models.face_model import FaceModel
from models.tracker import Track
from models.training.fit_face import fit
from models.training.framing import parted_lips
from models.training.heads import GAP

FPS = Fraction(25)
REPEATS = 12
"""The fit wants a clip: as many frames of the same picture."""

Picture = UInt8[NDArray[np.uint8], "H W 3"]


@dataclass(frozen=True)
class PhotoFit:
    """A person's face in a photo."""

    face: FaceModel
    """Personal; its mean is the neutral face with the lips closed."""
    seen: Float32[NDArray[np.float32], "K"]
    """The expression in the photo."""
    rotation: Float32[NDArray[np.float32], "3"]
    """Head to camera."""
    translation: Float32[NDArray[np.float32], "3"]
    """cm."""
    camera: Camera
    track: Track
    """One frame."""


def look(picture: Picture) -> Track:
    """The photo as a clip of one frame. Raises TrackingError unless it shows one face."""
    networks = FaceNetworks()
    faces = networks.faces(picture)
    if not faces:
        raise TrackingError("No face was found in the photo; use one that shows a face from the front.")
    points, confidence = faces[0]
    height, width = picture.shape[:2]
    rival = networks.has_rival(picture, points)
    return Track(
        points[None],
        np.ones(1, np.bool_),
        np.array([confidence], np.float32),
        np.zeros(1),
        width,
        height,
        FPS,
        float(rival),
    )


def fit_photo(track: Track, model: FaceModel) -> PhotoFit:
    """Fit the model to a clip of one frame.

    How far the lips are apart in it counts as expression, all else as shape.
    """
    again = replace(
        track,
        points=np.repeat(track.points, REPEATS, axis=0),
        valid=np.ones(REPEATS, np.bool_),
        confidence=np.repeat(track.confidence, REPEATS),
        times=np.arange(REPEATS) / float(FPS),
    )
    fitted = fit(again, model)
    face = fitted.face
    vertex = dict(face.landmarks.tolist())
    upper, lower = (face.mean[vertex[point]] for point in GAP)
    parted = float(upper[1] - lower[1])
    closed = model.mean[[vertex[point] for point in GAP], 1]
    seen = parted_lips(face, parted) - parted_lips(face, max(0.0, float(closed[0] - closed[1])))
    neutral = face.mean - np.tensordot(seen, face.expression, 1)
    return PhotoFit(
        replace(face, mean=neutral.astype(np.float32)),
        seen,
        fitted.rotation[0],
        fitted.translation[0],
        fitted.camera,
        track,
    )
