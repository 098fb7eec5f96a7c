"""How far sound and picture of a clip lie apart: where the lips, as the universal network expects them, fit best."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import NDArray

from models.expression_net import DIAL, ExpressionNet
from models.face_model import FaceModel
from models.training.linear_path import DELAYS, hear
from models.training.lip_metric import LipMetric

LOOK_AHEAD = DIAL.index(160)
"""Of the networks that are asked."""
REACH_MS, STEP_MS = 400, 10
BLOCKS = 6
"""Parts of the clip that are left out in turn, to see whether they agree."""
MIN_R, MAX_SPREAD_MS = 0.25, 25.0
"""A peak is trusted from this height on, and if the place of the peak does not hang on one part of the clip."""
CHANCE = 1.0
"""Height of a peak that chance may reach in one second of picture; in n seconds, it is less by the root of n."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Positive: the mouth lags the sound."""

    late_ms: float
    r: float
    """Correlation of the expected with the seen opening at the best shift."""
    spread_ms: float
    """Standard error of `late_ms`, by the jackknife over parts of the clip."""
    seconds: float
    """Of picture that were compared."""

    @property
    def trusted(self) -> bool:
        """Whether the peak is high and steady enough to shift the sound by it."""
        inside = abs(self.late_ms) < REACH_MS - 2 * STEP_MS
        high = self.r >= max(MIN_R, CHANCE / max(self.seconds, 1) ** 0.5)
        return high and self.spread_ms <= MAX_SPREAD_MS and inside


def expected_opening(sound: Float32[NDArray[np.float32], " samples"]) -> Float[NDArray[np.floating], " T"]:
    """The opening of anybody's lips at this sound; row h is the face LOOK_AHEAD before the end of hop h."""
    net = ExpressionNet.universal()
    gap = net.decode.double().numpy() @ LipMetric.of(FaceModel.tracked()).gap
    return hear(net, sound).components[LOOK_AHEAD].T @ gap


def measure(
    said: Float[NDArray[np.floating], " T"], opening: Float[NDArray[np.floating], " N"], fps: Fraction
) -> Offset:
    """Compare the opening that the sound lets expect with the one seen in each frame.

    Args:
        said: by `expected_opening`, or by another network whose row h is the face LOOK_AHEAD before the end of hop h.
        opening: in any unit, NaN where unknown.
        fps: of the frames.
    """
    steps = np.arange(-REACH_MS, REACH_MS + 1, STEP_MS)
    time = np.arange(len(opening)) / float(fps)
    known = ~np.isnan(opening)
    hops = (time - steps[:, None] / 1000) * 100 + DELAYS[LOOK_AHEAD] - 1
    guess = np.stack([np.interp(hop, np.arange(len(said)), said) for hop in hops])
    block = np.arange(len(opening)) * BLOCKS // max(1, len(opening))

    def best(kept: NDArray[np.bool_]) -> tuple[float, float]:
        height = np.array([_correlation(row[kept], opening[kept]) for row in guess])
        return _peak(steps, height)

    late, r = best(known)
    parts = np.array([best(known & (block != b))[0] for b in range(BLOCKS)])
    spread = float(np.sqrt((BLOCKS - 1) / BLOCKS * ((parts - parts.mean()) ** 2).sum()))
    return Offset(late, r, spread, int(known.sum()) / float(fps))


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    if len(a) < 2 or a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _peak(steps: NDArray[np.integer], height: NDArray[np.floating]) -> tuple[float, float]:
    """Place and height of the highest point, the place refined by a parabola through its neighbours."""
    top = int(np.argmax(height))
    if not 0 < top < len(steps) - 1:
        return float(steps[top]), float(height[top])
    before, at, after = height[top - 1 : top + 2]
    bend = before - 2 * at + after
    move = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(steps[top] + move * (steps[1] - steps[0])), float(at)
