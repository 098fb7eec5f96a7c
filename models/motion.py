"""Life in a face that has none of its own: a head that sways and lids that blink, for a puppet made from one photo.

A puppet made from a video needs none of this: head, lids, gaze and brows are the person's own, in the background clip.

idle = Idle(len(clip), fps)
rotation, translation = idle(n).moved(photo_rotation, photo_translation)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64
from numpy.typing import NDArray

ROTATION = (0.6, 0.8, 0.9)
"""Spread of the head's turns: nodding, shaking, tilting; degrees."""
TRANSLATION = (0.35, 0.17, 0.17)
"""Spread of its way right, up and towards the viewer, cm. People who talk (19 clips, median) turn by 1.5, 2.0 and 2.3
degrees and move by 0.9, 0.4 and 0.4 cm. A photo shows no cheek that was turned away, so it is 0.4 of that."""
PERIODS = (12.0, 7.0, 4.5, 3.0)
"""Seconds that the waves take which the sway is made of; the slower, the larger."""
BLINK_EVERY = 3.0
"""Seconds: the median of the same clips is 20 blinks a minute."""
LEAST_APART = 0.6
"""Seconds from one blink to the next."""
CLOSING, SHUT, OPENING = 0.08, 0.04, 0.16
"""Seconds that the parts of a blink take."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What a frame adds to a still face."""

    rotation: Float64[NDArray[np.float64], "3"]
    """Rotation vector about the head's origin, in the camera's axes, radians."""
    translation: Float64[NDArray[np.float64], "3"]
    """In the camera's axes, cm."""
    lids: float
    """0: as they were; 1: shut."""

    def moved(
        self, rotation: Float[NDArray[np.floating], "3"], translation: Float[NDArray[np.floating], "3"]
    ) -> tuple[Float32[NDArray[np.float32], "3"], Float32[NDArray[np.float32], "3"]]:
        """A pose, head to camera, with this motion added."""
        turned = cv2.Rodrigues(self.rotation)[0] @ cv2.Rodrigues(np.asarray(rotation, np.float64))[0]
        return cv2.Rodrigues(turned)[0][:, 0].astype(np.float32), (translation + self.translation).astype(np.float32)


class Idle:
    """Motion by frame number, the same for the same seed.

    The sway fits a clip that is played forward and back: it comes to rest at either end. Blinks never repeat.
    """

    def __init__(self, frames: int, fps: Fraction, seed: int = 0) -> None:
        """Begin.

        Args:
            frames: of the clip; some ten seconds at least, or the sway is hurried.
            fps: of the clip.
            seed: another one moves differently.
        """
        random = np.random.default_rng((seed, 0))
        there_and_back = 2 * max(1, frames - 1)
        # Whole waves there and back, and their crests at both ends, where the motion turns. No two directions alike.
        periods = np.array(PERIODS) * random.uniform(0.8, 1.25, (6, len(PERIODS)))
        waves = np.maximum(1, np.round(there_and_back / float(fps) / periods))
        self._speed = 2 * math.pi * waves / there_and_back
        heights = random.choice((-1, 1), periods.shape) * periods
        spread = np.concatenate([np.radians(ROTATION), TRANSLATION])
        self._heights = heights * (spread / np.sqrt((heights**2).sum(1) / 2))[:, None]
        self._fps = fps
        self._seed = seed

    def __call__(self, frame: int) -> Motion:
        """Motion of a frame, 0 or later."""
        way = (self._heights * np.cos(self._speed * frame)).sum(1)
        return Motion(way[:3], way[3:], self._lids(frame / self._fps))

    def _lids(self, now: Fraction) -> float:
        turn = int(now // Fraction(BLINK_EVERY))
        return max(_lid(float(now) - self._blink(number)) for number in range(turn - 1, turn + 1))

    def _blink(self, number: int) -> float:
        """When a blink begins: somewhere in its own few seconds, so there is no rhythm and no long stare."""
        if number < 0:
            return -math.inf
        where = np.random.default_rng((self._seed, 1, number)).uniform()
        return BLINK_EVERY * number + where * (BLINK_EVERY - LEAST_APART)


def _lid(since: float) -> float:
    """How far lids are shut, seconds after a blink began."""
    way = min(since / CLOSING, (CLOSING + SHUT + OPENING - since) / OPENING)
    way = min(max(way, 0.0), 1.0)
    return way * way * (3 - 2 * way)
