"""Adapt the universal voice network to one person, from the sound and the fitted expressions of one clip, in seconds.

What is learned is linear, and is folded into the network's own weights: how the person's lips follow the universal
lip components, plus a ridge correction on the features heard. It must beat the universal network on parts of the clip
that it was not fitted on; otherwise only the size of the motion is taken over.

Letters: N video frames, T hops, D look-aheads, R lip components, K coefficients of the universal face model, P of the
person's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from models.audio_encoder import PRESENCE
from models.expression_net import DIAL, ExpressionNet
from models.face_model import FaceModel
from models.puppet import VoiceMap
from models.training.expression_data import Recording, Signal, on_sound_clock
from models.training.linear_path import DELAYS, Heard, Regression, amplify, as_taps, hear, shifted, windows
from models.training.lip_metric import LipMetric, transfer
from models.training.opening_curve import Curve

JUDGED = DIAL.index(80)
"""Look-ahead at which the adaptation is judged against the universal network."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the outcome."""

    amplitude: float = 0.85
    """Spread of the mouth's opening that is aimed at, as a share of the person's."""
    gains: tuple[float, float] = (0.5, 2.2)
    """Least and largest factor that is taken for it."""
    penalty: float | None = 3.0
    """Of the ridge correction. None: the puppet is for any voice, so only the size of the motion is learned."""
    widest: float = 0.8
    """How far the shown mouth opens beyond its usual opening, as a share of how far the person's does."""
    blocks: int = 5
    """Contiguous parts of the clip; each is predicted from the others."""
    margin: int = 50
    """Hops left out at both sides of a held-out block."""
    closed_share: float = 0.08
    """Of the clip, the most closed frames: the person's mouth at rest."""
    reach_ms: int = 300
    """How far sound and picture of the clip may lie apart."""


@dataclass(frozen=True, slots=True)
class Score:
    """Agreement of the mouth's opening with the person's, on blocks not fitted on."""

    r: float
    amplitude: float
    """Spread as a share of the person's."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A network and a map that belong together, and how well they do."""

    net: ExpressionNet
    voice: VoiceMap
    adapted: bool
    """Whether more than the size of the motion was learned."""
    mouth_late_ms: int
    """By how much the mouth lags the sound in the clip; corrected."""
    universal: dict[int, Score]
    """By look-ahead in ms."""
    personal: dict[int, Score]


@dataclass(frozen=True, slots=True)
class _Person:
    """The clip in the universal network's terms."""

    heard: Heard
    target: Float32[NDArray[np.float32], "T1 R"]
    valid: NDArray[np.bool_]
    gap: Float64[NDArray[np.float64], " R"]


def adapt(
    net: ExpressionNet,
    universal: FaceModel,
    face: FaceModel,
    sound: Signal,
    expression: Float32[NDArray[np.float32], "N P"],
    valid: NDArray[np.bool_],
    fps: Fraction,
    config: Config | None = None,
) -> Adaptation:
    """Adapt to a clip.

    Args:
        net: the universal network; not changed.
        universal: the face model of its coefficients.
        face: the person's.
        sound: of the clip, 16 kHz, sample 0 at frame 0.
        expression: fitted to the clip, frame by frame, in the person's model.
        valid: frames with a good fit.
        fps: of the clip.
        config: choices; None for the usual ones.
    """
    config = config or Config()
    metric = LipMetric.of(face)
    across = transfer(universal, face)
    moved = net.decode.double().numpy() @ across.T  # R, P
    projection = metric.form @ moved.T @ np.linalg.inv(moved @ metric.form @ moved.T)
    median = np.median(expression[valid], 0)
    scores = ((expression - median) @ projection).astype(np.float32)
    gap = moved @ metric.gap
    opening = scores @ gap
    closed = valid & (opening <= np.quantile(opening[valid], config.closed_share))
    rest = scores[closed].mean(0)
    late = _mouth_late(hear(net, sound).components[JUDGED].T @ gap, opening, float(fps), config.reach_ms)
    clip = on_sound_clock(Recording("", "", late), sound, scores - rest, valid, fps)
    person = _Person(hear(net, clip.sound), clip.expression, clip.valid, gap)

    fit = _Fit(person, net, config)
    choices = [_Choice.of(person, fit, penalty, config) for penalty in {None, config.penalty}]
    best = max(choices, key=_Choice.agreement)
    new = fit.folded(best.penalty)
    amplify(new, np.array(best.gains), hear(new, clip.sound).speech_mean())
    new.gap.copy_(torch.from_numpy(gap))
    new.part.copy_(new.part / (new.part @ new.gap))
    new.bends.copy_(torch.from_numpy(best.curve.bends))
    new.slopes.copy_(torch.from_numpy(best.curve.slopes))
    return Adaptation(
        net=new,
        voice=VoiceMap(gain=across.astype(np.float32), offset=(median + rest @ moved).astype(np.float32)),
        adapted=best.penalty is not None,
        mouth_late_ms=round(late * 1000),
        universal={DIAL[d]: _score(person, (person.heard.components[d].T @ gap).clip(0), d) for d in _dials()},
        personal={DIAL[d]: best.scores[d] for d in _dials()},
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """One strength of the correction, with what brings the motion to its size, judged on held-out blocks."""

    penalty: float | None
    """None: nothing but the size of the motion is learned."""
    gains: list[float]
    curve: Curve
    scores: list[Score]

    @classmethod
    def of(cls, person: _Person, fit: _Fit, penalty: float | None, config: Config) -> _Choice:
        components = fit.held_out(penalty)
        means = person.heard.mean(components) @ person.gap
        gains, openings = [], []
        for d in _dials():
            opening = components[d].T @ person.gap
            presence = means[d] * person.heard.features[-1] / PRESENCE * person.heard.gate[d]
            counts = _counts(person, d)
            spread = _true(person, d)[counts].std()
            gain = config.amplitude * spread / max(float(opening[counts].std()), 1e-6)
            gains.append(float(np.clip(gain, *config.gains)))
            # What `amplify` does: larger about the mean of speech, nothing in silence.
            openings.append(gains[d] * opening + (1 - gains[d]) * presence)
        counts = _counts(person, JUDGED)
        curve = Curve.between(openings[JUDGED][counts], _true(person, JUDGED)[counts], config.widest)
        return cls(penalty, gains, curve, [_score(person, curve(openings[d]), d) for d in _dials()])

    def agreement(self) -> float:
        """Mean correlation over the look-aheads that hear something ahead."""
        return float(np.mean([score.r for score in self.scores[1:]]))


class _Fit:
    """Regressions of the person's components, over the whole clip and over each held-out block."""

    def __init__(self, person: _Person, net: ExpressionNet, config: Config) -> None:
        self._person, self._net = person, net
        count = person.heard.features.shape[1]
        edges = np.linspace(0, count, config.blocks + 1).astype(int)
        self._blocks = [np.arange(a, b) for a, b in pairwise(edges)]
        self._size: list[float] = []
        self._scale: list[float] = []
        self._inputs: list[NDArray[np.float32]] = []
        self._whole: list[Regression] = []
        self._parts: list[list[Regression]] = []
        for d in _dials():
            x, y, counts = self._rows(d)
            self._inputs.append(x)
            self._whole.append(_sums(x, y, counts))
            parts = []
            for block in self._blocks:
                near = np.zeros(count, np.bool_)
                near[max(block[0] - config.margin, 0) : block[-1] + 1 + config.margin] = True
                parts.append(_sums(x, y, counts & near))
            self._parts.append(parts)

    def _rows(self, d: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Inputs (universal components, then features), what the universal ones miss, and which hops count."""
        person = self._person
        own = person.heard.components[d].T
        target, counts = shifted(person.target, DELAYS[d]), _counts(person, d)
        scale = float((own[counts] * target[counts]).sum() / (own[counts] ** 2).sum())
        self._scale.append(scale)
        self._size.append(float(np.sqrt(target[counts].var(0).sum() / own[counts].var(0).sum())))
        heard = windows(person.heard.features, DELAYS[d], self._net.size.past) * person.heard.gate[d][:, None]
        return np.concatenate([own, heard], 1), target - scale * own, counts

    def held_out(self, penalty: float | None) -> Float64[NDArray[np.float64], "D R T"]:
        """Each block as predicted from the others; without a penalty only the size is fitted."""
        scale = self._size if penalty is None else self._scale
        out = np.stack([s * u for s, u in zip(scale, self._person.heard.components, strict=True)]).astype(np.float64)
        if penalty is not None:
            for d in _dials():
                for block, part in zip(self._blocks, self._parts[d], strict=True):
                    weights = self._whole[d].without(part).solve(penalty)
                    out[d][:, block] += (self._inputs[d][block] @ weights).T
        return out

    def folded(self, penalty: float | None) -> ExpressionNet:
        """A copy of the network with the correction in its weights."""
        net, size = copy.deepcopy(self._net), self._net.size
        with torch.no_grad():
            for d in _dials():
                rows = slice(d * size.components, (d + 1) * size.components)
                mixing = (self._size if penalty is None else self._scale)[d] * np.eye(size.components)
                extra = np.zeros_like(net.linear.taps.weight[rows].numpy())
                if penalty is not None:
                    weights = self._whole[d].solve(penalty)
                    mixing = mixing + weights[: size.components].T
                    extra = as_taps(weights[size.components :], size)
                mix = torch.from_numpy(mixing).float()
                net.head.weight[rows] = torch.einsum("ij,jck->ick", mix, net.head.weight[rows])
                net.linear.taps.weight[rows] = torch.einsum("ij,jck->ick", mix, net.linear.taps.weight[rows])
                net.linear.taps.weight[rows] += torch.from_numpy(extra)
        return net


def _sums(x: NDArray[np.float32], y: NDArray[np.float32], counts: NDArray[np.bool_]) -> Regression:
    sums = Regression()
    sums.add(x[counts], y[counts], float(counts.sum()))
    return sums


def _dials() -> range:
    return range(len(DIAL))


def _counts(person: _Person, d: int) -> NDArray[np.bool_]:
    """Hops whose face is known."""
    counts = shifted(person.valid, DELAYS[d])
    counts[: DELAYS[d]] = False
    return counts


def _true(person: _Person, d: int) -> NDArray[np.floating]:
    """The person's opening that each hop shows."""
    return shifted(person.target, DELAYS[d]) @ person.gap


def _score(person: _Person, opening: NDArray[np.floating], d: int) -> Score:
    """Agreement of an opening [T] at one look-ahead."""
    counts = _counts(person, d)
    said, true = opening[counts], _true(person, d)[counts]
    if said.std() < 1e-9 or true.std() < 1e-9:
        return Score(0.0, 0.0)
    return Score(float(np.corrcoef(said, true)[0, 1]), float(said.std() / true.std()))


def _mouth_late(said: NDArray[np.floating], opening: NDArray[np.floating], fps: float, reach_ms: int) -> float:
    """Seconds by which the mouth in the picture lags the sound: where the universal opening fits best.

    Zero where nothing stands out: a wrong shift is worse than none.
    """
    steps = np.arange(-reach_ms, reach_ms + 1, 10)
    time = np.arange(len(opening)) / fps
    fits = []
    for step in steps:
        # Row h of `said` is the face at 10 ms * (h + 1) - look-ahead on the sound's clock.
        hop = (time - step / 1000) * 100 + DELAYS[JUDGED] - 1
        inside = (hop >= 0) & (hop <= len(said) - 1)
        guess = np.interp(hop[inside], np.arange(len(said)), said)
        fits.append(np.corrcoef(guess, opening[inside])[0, 1] if guess.std() > 1e-9 else 0.0)
    best = int(np.argmax(fits))
    stands_out = fits[best] > 0.3 and fits[best] > fits[len(steps) // 2] + 0.03
    return float(steps[best]) / 1000 if stands_out else 0.0
