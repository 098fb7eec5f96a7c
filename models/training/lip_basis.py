"""The directions in which lips move in speech, and the mouth at rest: what the voice network predicts.

Letters: T hops, R lip components, K coefficients of the face model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.training.expression_data import Clip
from models.training.lip_metric import LipMetric

CLOSED_SHARE = 0.08
"""Of a clip's frames, the most closed ones: what the mouth at rest looks like."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The lip components: what the network predicts."""

    encode: Float64[NDArray[np.float64], "K R"]
    """Coefficients -> components; their squares add up to squared lip displacement, cm²."""
    decode: Float64[NDArray[np.float64], "R K"]
    """Components -> the coefficients that go with them."""
    gap: Float64[NDArray[np.float64], " R"]
    """Components -> opening of the inner lips, cm."""
    rest: Float64[NDArray[np.float64], " R"]
    """Closed mouth at rest against the median face of speech, in units of a person's motion."""
    part: Float64[NDArray[np.float64], " R"]
    """How components move when the lips part by one unit of `gap`."""
    motion: float
    """Size of the population's motion, cm: root mean square displacement of the lips."""


def clip_scores(clip: Clip, encode: Float64[NDArray[np.float64], "K R"]) -> Float64[NDArray[np.float64], "T R"]:
    """Components of a clip against its own median face."""
    scores = clip.expression @ encode
    return scores - np.median(scores[clip.valid], 0)


def find_basis(clips: Sequence[Clip], metric: LipMetric, components: int, weights: dict[str, float]) -> Basis:
    """Principal components of lip motion, every person alike."""
    values, vectors = np.linalg.eigh(metric.form)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    covariance = np.zeros_like(metric.form)
    total = 0.0
    for clip in clips:
        rows = clip.expression[clip.valid] - np.median(clip.expression[clip.valid], 0)
        energy = np.einsum("nk,kl,nl->n", rows, metric.form, rows).mean()
        covariance += weights[clip.recording.stem] * (rows.T @ rows) / len(rows) / energy
        total += weights[clip.recording.stem] * np.sqrt(energy)
    everyone = sum(weights[clip.recording.stem] for clip in clips)
    _, directions = np.linalg.eigh(root @ covariance @ root)
    encode = root @ directions[:, ::-1][:, :components]
    spread = encode.T @ covariance @ encode
    decode = np.linalg.solve(spread, encode.T @ covariance)
    gap = decode @ metric.gap
    rests = [_rest(clip, encode, gap) * weights[clip.recording.stem] for clip in clips]
    part = spread @ gap / (gap @ spread @ gap)
    return Basis(encode, decode, gap, np.sum(rests, 0) / everyone, part, float(total / everyone))


def _rest(clip: Clip, encode: NDArray[np.float64], gap: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = clip_scores(clip, encode)[clip.valid]
    opening = scores @ gap
    closed = scores[opening <= np.quantile(opening, CLOSED_SHARE)].mean(0)
    return closed / np.sqrt((scores**2).sum(1).mean())


def person_weights(clips: Sequence[Clip], least_seconds: float) -> dict[str, float]:
    """Weight of each clip, by stem: people alike, their clips by length; people of few seconds count less."""
    seconds: dict[str, float] = defaultdict(float)
    for clip in clips:
        seconds[clip.recording.person] += clip.valid.sum() / 100
    return {
        clip.recording.stem: float(clip.valid.sum() / 100 / max(seconds[clip.recording.person], least_seconds))
        for clip in clips
    }
