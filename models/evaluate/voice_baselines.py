"""What the voice network must beat, fitted in closed form: ridge regression, and the affine map of AudioDVP.

AudioDVP (Wen et al. 2020, "Photorealistic Audio-driven Video Portraits") maps the features of seven video frames to the
expression of the middle one. For "affine" the features are our own, and the seven frames end where the look-ahead ends;
"audiodvp" is as published: its features (models/atnet.py), frames and look-ahead.

Letters: T hops, D look-aheads, K coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from models.evaluate.voice_scores import Judged
from models.training.linear_path import Features, Regression, shifted, windows

PAST = 20
"""Hops before the moment shown that the ridge regression hears."""
FRAME, FRAMES = 4, 7
"""Hops in a video frame of AudioDVP, and its frames."""
PENALTIES = {"ridge": 1.0, "affine": 1e-4, "audiodvp": 1e-4}
"""Of features in units of 10 dB; AudioDVP has none, a trace keeps the solution unique."""
AUDIODVP_DELAY = 30
"""Hops from a moment to the last sound that AudioDVP hears for its frame: three frames and the window of the last."""

Inputs = Float32[NDArray[np.float32], "T inputs"]


def ridge_inputs(features: Features, delay: int) -> Inputs:
    """The features of the last 0.2 s and of the look-ahead."""
    return windows(features, delay, PAST)


def affine_inputs(features: Features, delay: int) -> Inputs:
    """Seven frames of features and a one; no more of the future than AudioDVP hears, three frames."""
    extra = max(delay - FRAME * (FRAMES // 2), 0)
    features = np.pad(features, ((0, 0), (FRAME * FRAMES - 1 + extra, 0)))[:, : features.shape[1] + FRAME * FRAMES - 1]
    view = np.lib.stride_tricks.sliding_window_view(features, FRAME * FRAMES, axis=1)
    frames = view.reshape(len(features), -1, FRAMES, FRAME).mean(-1).transpose(1, 0, 2).reshape(view.shape[1], -1)
    return np.concatenate([frames, np.ones((len(frames), 1), np.float32)], 1)


def audiodvp_inputs(features: Features, delay: int) -> Inputs:
    """AT-net's features of the frame shown at each hop and of three on either side, and a one."""
    middle = np.arange(1, features.shape[1] + 1) - delay
    hops = middle[:, None] + FRAME * np.arange(-(FRAMES // 2), FRAMES // 2 + 1)
    heard = (hops >= 0) & (hops < features.shape[1])
    frames = features.T[np.where(heard, hops, 0)] * heard[..., None]
    return np.concatenate([frames.reshape(len(hops), -1), np.ones((len(hops), 1), np.float32)], 1)


INPUTS: dict[str, Callable[[Features, int], Inputs]] = {
    "ridge": ridge_inputs,
    "affine": affine_inputs,
    "audiodvp": audiodvp_inputs,
}


class Baseline:
    """Sums over clips, from which the regression on any selection of them follows."""

    def __init__(self, name: str, delay: int) -> None:
        """A baseline of INPUTS at a look-ahead of `delay` hops."""
        self.name, self.delay = name, delay
        self._sums: dict[str, Regression] = {}

    def add(self, judged: Judged, features: Features, weight: float) -> None:
        """Learn from a clip: its faces against its own median face."""
        x = INPUTS[self.name](features, self.delay)
        counts = judged.counts(self.delay)
        face = judged.clip.expression - np.median(judged.clip.expression[judged.clip.valid], 0)
        sums = Regression()
        sums.add(x[counts], shifted(face, self.delay)[counts], weight)
        self._sums[judged.clip.recording.stem] = sums

    def learned(self, stems: Sequence[str]) -> Float64[NDArray[np.float64], "inputs K"]:
        """Weights from some clips."""
        chosen = [self._sums[stem] for stem in stems]
        total = Regression(
            sum(part.gram for part in chosen), sum(part.moment for part in chosen), sum(part.weight for part in chosen)
        )
        return total.solve(PENALTIES[self.name])

    def say(self, weights: Float64[NDArray[np.float64], "inputs K"], features: Features) -> NDArray[np.float64]:
        """Coefficients [T, K] of a whole sound, against the median face."""
        return INPUTS[self.name](features, self.delay) @ weights
