"""How well predicted lips agree with a person's, in the head's own frame: turns of the head do not count.

Letters: T hops, K coefficients of the `tracked` face model, P lip points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from numpy.typing import NDArray

from models.face_model import FaceModel
from models.training.expression_data import Clip
from models.training.heads import PUPILS_APART
from models.training.linear_path import shifted
from models.training.lip_basis import CLOSED_SHARE
from models.training.lip_metric import LipMetric, lower_lip
from models.training.visemes import viseme_of

LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
"""Tracker points on the edges of the lips."""
SHUT_SHARE = 0.15
"""Of the time: a mouth as little open as the person's least open frames counts as closed, and a lower lip as high as in
the frames with the highest as on the teeth, which do not move in the head."""
NEAR = 4
"""Hops around a labelled contact within which it may happen."""

Rows = Float[NDArray[np.floating], "T K"]


@dataclass(frozen=True, slots=True)
class Ruler:
    """Lips of a face model in centimetres."""

    gap: Float64[NDArray[np.float64], " K"]
    """Opening of the inner lips per unit of each coefficient."""
    lower: Float64[NDArray[np.float64], " K"]
    """Height of the lower lip per unit."""
    lips: Float32[NDArray[np.float32], "K P2"]
    """Sideways and vertical displacement of the lip points per unit."""

    @classmethod
    def of(cls, face: FaceModel) -> Ruler:
        """The ruler of a face model."""
        vertex = dict(face.landmarks.tolist())
        points = face.expression[:, [vertex[point] for point in LIPS if point in vertex], :2]
        return cls(LipMetric.of(face).gap, lower_lip(face), points.reshape(len(points), -1))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one prediction with one clip."""

    r: float
    """Correlation of the mouth's opening with the person's."""
    amplitude: float
    """Its spread as a share of the person's."""
    lmd_percent: float
    """Mean distance of the lip points, each against its own median, % of the distance between the pupils."""
    closure: float
    """Share of the labelled P, B and M at which the mouth closes as the person's does; NaN without labels."""
    teeth: float
    """Share of the labelled F and V at which the lower lip comes as high as the person's does; NaN without labels."""


class Judged:
    """A clip as something to be judged against."""

    def __init__(self, clip: Clip, ruler: Ruler) -> None:
        self.clip, self.ruler = clip, ruler
        self._opening = clip.expression @ ruler.gap
        known = self._opening[clip.valid]
        self._lower = clip.expression @ ruler.lower
        self._shut = float(-np.quantile(known, SHUT_SHARE))
        self._raised = float(np.quantile(self._lower[clip.valid], 1 - SHUT_SHARE))
        closed = clip.valid & (self._opening <= np.quantile(known, CLOSED_SHARE))
        self.rest: Float64[NDArray[np.float64], " K"] = clip.expression[closed].mean(0, np.float64)
        """The person's mouth at rest."""

    def counts(self, delay: int) -> Bool[NDArray[np.bool_], " T"]:
        """Hops whose face is known."""
        counts = shifted(self.clip.valid, delay)
        counts[:delay] = False
        return counts

    def agreement(self, said: Rows, delay: int) -> Agreement:
        """Judge what was said at a look-ahead of `delay` hops: absolute coefficients, a row per hop."""
        counts = self.counts(delay)
        mouth, true = (said @ self.ruler.gap)[counts], shifted(self._opening, delay)[counts]
        lips = (said[counts] @ self.ruler.lips) - (shifted(self.clip.expression, delay)[counts] @ self.ruler.lips)
        return Agreement(
            float(np.corrcoef(mouth, true)[0, 1]) if mouth.std() > 1e-9 else 0.0,
            float(mouth.std() / true.std()),
            self._percent(lips),
            self._reached("P", -(said @ self.ruler.gap), self._shut, delay),
            self._reached("F", said @ self.ruler.lower, self._raised, delay),
        )

    def still_percent(self) -> float:
        """`lmd_percent` of a mouth that does not move."""
        return self._percent(self.clip.expression[self.clip.valid] @ self.ruler.lips)

    def real_closure(self) -> float:
        """`closure` of the person: what labels and tracking let one reach."""
        return self._reached("P", -self._opening[1:], self._shut, 0)

    def real_teeth(self) -> float:
        """`teeth` of the person."""
        return self._reached("F", self._lower[1:], self._raised, 0)

    def _percent(self, lips: Float[NDArray[np.floating], "T P2"]) -> float:
        away = (lips - np.median(lips, 0)).reshape(len(lips), -1, 2)
        return 100 * float(np.linalg.norm(away, axis=2).mean()) / PUPILS_APART

    def _reached(self, phoneme: str, said: Float[NDArray[np.floating], " T"], level: float, delay: int) -> float:
        hits = []
        for start, stop in self._labelled(phoneme):
            # Hop h shows boundary h + 1 - delay.
            first, last = start + delay - 1, stop + delay - 1
            if first >= 0 and last <= len(said):
                hits.append(said[max(first - NEAR, 0) : last + NEAR].max() >= level)
        return float(np.mean(hits)) if hits else float("nan")

    def _labelled(self, phoneme: str) -> Iterator[tuple[int, int]]:
        labelled = np.concatenate([[False], self.clip.visemes == viseme_of(phoneme), [False]]).astype(np.int8)
        change = np.diff(labelled)
        yield from zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True)
