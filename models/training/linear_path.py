"""The network's linear path in closed form: ridge regression from features to lip components.

Letters: T hops, D look-aheads, R lip components.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from numpy.typing import NDArray

from models.audio_encoder import FEATURES, HOP, PRESENCE
from models.expression_net import DIAL, ExpressionNet, Size

DELAYS = tuple(ms // 10 for ms in DIAL)
"""Look-aheads in hops."""

LOUD = 0.8
"""Presence above which somebody speaks."""

Features = Float32[NDArray[np.float32], "features T"]
Matrix = Float64[NDArray[np.float64], "_ _"]


def windows(features: Features, delay: int, past: int) -> Float32[NDArray[np.float32], "T inputs"]:
    """What the linear path hears at each hop for a look-ahead of `delay` hops: averages of pairs, flattened."""
    length = past + delay
    padded = np.pad(features, ((0, 0), (length - 1, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    pairs = view.reshape(len(features), -1, length // 2, 2).mean(-1)
    return np.ascontiguousarray(pairs.transpose(1, 0, 2)).reshape(view.shape[1], -1)


def as_taps(
    weights: Float64[NDArray[np.float64], "inputs R"], size: Size
) -> Float32[NDArray[np.float32], "R features taps"]:
    """Regression weights over `windows` as the taps of `LinearPath`."""
    taps = weights.T.reshape(weights.shape[1], FEATURES, -1)
    return np.pad(taps, ((0, 0), (0, 0), (size.reach // 2 - taps.shape[2], 0))).astype(np.float32)


def shifted(values: NDArray[Any], delay: int) -> NDArray[Any]:
    """Row h: the value at hop boundary h + 1 - delay, which hop h shows (before the start: the first one)."""
    return values[np.clip(np.arange(1, len(values)) - delay, 0, None)]


@dataclass
class Regression:
    """Sums of a ridge regression through the origin; regressions over parts of the data add up."""

    gram: Any = 0.0
    moment: Any = 0.0
    weight: float = field(default=0.0)

    def add(self, x: NDArray[Any], y: NDArray[Any], weight: float = 1.0) -> None:
        """Rows that count `weight` together."""
        if len(x):
            self.gram = self.gram + weight / len(x) * (x.T @ x).astype(np.float64)
            self.moment = self.moment + weight / len(x) * (x.T @ y).astype(np.float64)
            self.weight += weight

    def without(self, part: Regression) -> Regression:
        """These sums less those of a part."""
        return Regression(self.gram - part.gram, self.moment - part.moment, self.weight - part.weight)

    def solve(self, penalty: float) -> Matrix:
        """Weights [inputs, outputs]; the penalty is per unit of weight."""
        return np.linalg.solve(self.gram + penalty * self.weight * np.eye(len(self.gram)), self.moment)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network makes of a whole sound."""

    features: Features
    components: Float32[NDArray[np.float32], "D R T"]
    """Gated."""
    gate: Float32[NDArray[np.float32], "D T"]
    odds: Float32[NDArray[np.float32], "D T"]
    """Log odds that the lips meet, but for a constant; gated."""

    @property
    def loud(self) -> Bool[NDArray[np.bool_], " T"]:
        """Hops in which somebody speaks."""
        return self.features[-1] > LOUD * PRESENCE

    def speech_mean(self) -> Float64[NDArray[np.float64], "D R"]:
        """Mean lip components while somebody speaks, as they are before the gate."""
        return self.mean(self.components)

    def mean(self, components: Float[NDArray[np.floating], "D R T"]) -> Float64[NDArray[np.float64], "D R"]:
        """The same of other gated components of this sound."""
        return components[:, :, self.loud].sum(2, np.float64) / self.gate[:, None, self.loud].sum(2, np.float64)


def hear(net: ExpressionNet, sound: Float32[NDArray[np.float32], " samples"]) -> Heard:
    """Run the network over a whole sound."""
    whole = torch.from_numpy(sound[: len(sound) // HOP * HOP])[None]
    with torch.inference_mode():
        features, _ = net.encoder(whole, net.encoder.initial_state())
    return hear_features(net, features[0].numpy())


def hear_features(net: ExpressionNet, features: Features) -> Heard:
    """Run the network over the features of a whole sound."""
    heard = torch.from_numpy(features)[None]
    with torch.inference_mode():
        components, gate, _ = net.components(heard, net.initial_state())
        trunk, _ = net.trunk(heard, net.trunk.initial_state(1))
        odds = net.shut @ trunk * gate[:, :, 0]
    return Heard(features, (components * gate)[0].numpy(), gate[0, :, 0].numpy(), odds[0].numpy())


def amplify(
    net: ExpressionNet,
    gain: Float64[NDArray[np.float64], " D"],
    speech: Float64[NDArray[np.float64], "D R"],
    goal: Float64[NDArray[np.float64], "D R"],
) -> None:
    """Make the motion larger, move the mean face of speech to its place, and leave silence where it is.

    A predictor that cannot know everything moves less than the person; how much more it shall move is a choice, not
    something that a squared error could teach.

    Args:
        net: changed in place.
        gain: factor for each look-ahead.
        speech: mean components in speech for each look-ahead, as they are.
        goal: as they shall be.
    """
    components, taps = net.size.components, net.linear.taps.weight
    factor = torch.from_numpy(np.repeat(gain, components)).float()[:, None, None]
    shift = torch.from_numpy((goal - gain[:, None] * speech).reshape(-1)).float()
    with torch.no_grad():
        net.head.weight *= factor
        taps *= factor
        # The presence feature stands at PRESENCE in speech and at zero in silence: it carries the mean face.
        taps[:, -1] += shift[:, None] / PRESENCE / taps.shape[2]
