"""Adapt the universal voice network to one person, from the sound and the fitted expressions of one clip, in seconds.

What is learned is linear, and is folded into the network's own weights: how the person's lips follow the universal
lip components, plus a ridge correction on the features heard. It must hold its own against the universal network on
parts of the clip that it was not fitted on; otherwise only size, mean and rest of the motion are taken over.

Letters: N video frames, T hops, D look-aheads, R lip components, K coefficients of the universal face model, P of the
person's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from models.audio_encoder import PRESENCE
from models.expression_net import DIAL, ExpressionNet
from models.face_model import FaceModel
from models.puppet import VoiceMap
from models.training import lip_sync
from models.training.expression_data import Recording, Signal, on_sound_clock
from models.training.linear_path import amplify, hear
from models.training.lip_metric import LipMetric, transfer
from models.training.opening_curve import Curve
from models.training.person import DIALS, Person, PersonFit, Score

JUDGED = DIAL.index(80)
"""Look-ahead at which the adaptation is judged against the universal network."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the outcome."""

    amplitude: float = 0.6
    """Spread of the mouth's opening that is aimed at, as a share of the person's, before the widest openings are put
    back, which makes it 0.88. More would bring the lips farther off at look-ahead 0 than a still mouth's are."""
    gains: tuple[float, float] = (0.5, 2.2)
    """Least and largest factor that is taken for it."""
    penalty: float | None = 1.0
    """Of the ridge correction. None: the puppet is for any voice, so only the size of the motion is learned."""
    sharpness: float = 0.5
    """Spread of the log odds that the lips meet, as a share of that of the opening they are mixed into."""
    widest: float = 0.7
    """How far the shown mouth opens beyond its usual opening, as a share of how far the person's does."""
    slack: float = 0.01
    """By how much an adaptation may correlate less on held-out blocks, since in the end it learns from all."""
    blocks: int = 8
    """Contiguous parts of the clip; each is predicted from the others."""
    closed_share: float = 0.08
    """Of the clip, the most closed frames: the person's mouth at rest."""


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
    said = hear(net, sound).components[lip_sync.LOOK_AHEAD].T @ gap
    offset = lip_sync.measure(said, np.where(valid, opening, np.nan), fps)
    late = offset.late_ms / 1000 if offset.trusted else 0.0  # a wrong shift is worse than none
    clip = on_sound_clock(Recording("", "", late), sound, scores - rest, valid, fps)
    person = Person(hear(net, clip.sound), clip.expression, clip.valid, gap)

    fit = PersonFit(person, net, config.blocks)
    plain, learned = (_Choice.of(person, fit, penalty, config) for penalty in (None, config.penalty))
    best = learned if learned.agreement() >= plain.agreement() - config.slack else plain
    new = fit.folded(best.penalty, best.dips)
    goal = np.stack([person.mean(d) for d in DIALS])
    amplify(new, np.array(best.gains), hear(new, clip.sound).speech_mean(), goal)
    new.gap.copy_(torch.from_numpy(gap))
    new.part.copy_(new.part / (new.part @ new.gap))
    new.bends.copy_(torch.from_numpy(best.curve.bends))
    new.slopes.copy_(torch.from_numpy(best.curve.slopes))
    return Adaptation(
        net=new,
        voice=VoiceMap(gain=across.astype(np.float32), offset=(median + rest @ moved).astype(np.float32)),
        adapted=best.penalty is not None,
        mouth_late_ms=round(late * 1000),
        universal={DIAL[d]: person.score((person.heard.components[d].T @ gap).clip(0), d) for d in DIALS},
        personal={DIAL[d]: best.scores[d] for d in DIALS},
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """One strength of the correction, with what brings the motion to its size, judged on held-out blocks."""

    penalty: float | None
    """None: nothing but the size of the motion is learned."""
    dips: Float64[NDArray[np.float64], " D"]
    """Factors on the log odds that the lips meet."""
    gains: list[float]
    curve: Curve
    scores: list[Score]

    @classmethod
    def of(cls, person: Person, fit: PersonFit, penalty: float | None, config: Config) -> _Choice:
        components, dips = fit.held_out(penalty, config.sharpness)
        means = person.heard.mean(components) @ person.gap
        gains, openings = [], []
        for d in DIALS:
            opening = components[d].T @ person.gap
            presence = person.heard.features[-1] / PRESENCE * person.heard.gate[d]
            counts = person.counts(d)
            spread = (person.shown(d) @ person.gap)[counts].std()
            gain = config.amplitude * spread / max(float(opening[counts].std()), 1e-6)
            gains.append(float(np.clip(gain, *config.gains)))
            # What `amplify` does: larger about the mean of speech, nothing in silence.
            shift = person.mean(d) @ person.gap - gains[d] * means[d]
            openings.append(gains[d] * opening + shift * presence)
        counts = person.counts(JUDGED)
        true = (person.shown(JUDGED) @ person.gap)[counts]
        curve = Curve.between(openings[JUDGED][counts], true, config.widest)
        return cls(penalty, dips, gains, curve, [person.score(curve(openings[d]), d) for d in DIALS])

    def agreement(self) -> float:
        """Mean correlation over the look-aheads that hear something ahead."""
        return float(np.mean([score.r for score in self.scores[1:]]))
