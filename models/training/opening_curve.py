"""From the mouth's opening as it is predicted to the opening that is shown.

A prediction from sound hedges: it spreads evenly about its mean, while real mouths are shut for long and wide for
moments. Matching the two distributions lets the mouth close where the prediction is low, and keeps the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from models.expression_net import BENDS

SHARES = (0.02, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Of the predicted openings; the closed mouth is one more point."""
GOALS = (0.0, 0.03, 0.08, 0.22, 0.47, 0.7, 0.9)
"""Of the true ones that they are matched with: a little more is closed than in truth, since an open mouth at a P, B or
M is seen at once, and a closed one at a vowel hardly is."""
STEEPEST = 3.0
"""Slope beyond which the noise of the prediction would show."""

Openings = NDArray[np.floating]
"""Any number of them."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Piecewise linear, rising, zero for a mouth that is closed or more than closed; see `ExpressionNet.bends`."""

    bends: Float[NDArray[np.floating], " bends"]
    slopes: Float[NDArray[np.floating], " bends"]

    @classmethod
    def between(cls, predicted: Openings, true: Openings, widest: float) -> Curve:
        """Match the distribution of predicted openings to the true one (any unit; 0 is closed, at rest).

        Openings above the usual one are only taken `widest` as far beyond it as the true ones go.
        """
        usual = np.median(true)
        goal = np.quantile(true, GOALS)
        goal = np.where(goal > usual, usual + widest * (goal - usual), goal).clip(0)
        at = np.concatenate([[0.0], np.quantile(predicted, SHARES)])
        least = 1e-3 * max(float(predicted.std()), 1e-6)
        at = np.maximum.accumulate(np.maximum(at, 0) + least * np.arange(BENDS))
        slope = np.clip(np.diff(np.concatenate([[0.0], goal])) / np.diff(at), 0, STEEPEST)
        slope = np.append(slope, widest)
        return cls(at, np.diff(slope, prepend=0.0))

    def __call__(self, opening: Openings) -> Openings:
        """The opening that is shown."""
        return np.maximum(opening[:, None] - self.bends, 0) @ self.slopes
