"""Which shapes the mouth took in a clip: what was never seen cannot be learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from models.tracker import Track

EYES, CORNERS, INNER_LIPS = (33, 263), (61, 291), (13, 14)
"""Tracker points: outer corners of the eyes, corners of the mouth, middle of the inner lips."""
ENOUGH_S = 0.3
"""For which a shape must have been seen."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """Of the tracked face; NaN where it was lost. Lengths over the distance of the eyes' outer corners."""

    opening: Float32[NDArray[np.float32], " N"]
    """Between the inner lips."""
    width: Float32[NDArray[np.float32], " N"]
    """Between the corners, over the usual width: small for rounded, large for spread lips."""
    width_px: float
    """Usual width of the mouth in the frame."""


def mouth_of(track: Track) -> Mouth:
    """Measure a track with at least one valid frame."""

    def apart(pair: tuple[int, int]) -> NDArray[np.float32]:
        return np.linalg.norm(track.points[:, pair[0]] - track.points[:, pair[1]], axis=1).astype(np.float32)

    eyes, width = apart(EYES), apart(CORNERS)
    gap = np.linalg.norm(track.points[:, INNER_LIPS[0], :2] - track.points[:, INNER_LIPS[1], :2], axis=1)
    return Mouth(
        (gap / np.nanmedian(eyes)).astype(np.float32),
        (width / eyes / np.nanmedian(width / eyes)).astype(np.float32),
        float(np.nanmedian(width)),
    )


def missing_shapes(mouth: Mouth, fps: float) -> list[str]:
    """Those of five shapes that were seen too shortly, in words that follow "speak with"."""
    opening, width = mouth.opening, mouth.width
    shapes = {
        "the lips closed now and then (m, b, p)": opening < 0.02,
        "the mouth half open": (opening > 0.04) & (opening < 0.1),
        "the mouth wide open (open vowels)": opening > 0.12,
        "rounded lips (oo, w)": width < 0.94,
        "spread lips (ee)": width > 1.05,
    }
    return [name for name, seen in shapes.items() if seen.sum() < ENOUGH_S * fps]
