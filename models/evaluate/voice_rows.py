"""Quality against look-ahead: of people the network knows by adaptation, and of people that it has never met.

Letters: T hops, N video frames, K coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from models.atnet import AtNet
from models.audio_encoder import HOP, SAMPLE_RATE
from models.evaluate.voice_baselines import AUDIODVP_DELAY, FRAME, Baseline
from models.evaluate.voice_scores import Agreement, Judged, Ruler
from models.expression_net import ExpressionNet
from models.face_model import FaceModel
from models.training.adapt_voice import adapt
from models.training.expression_data import Clip
from models.training.linear_path import DELAYS, Features
from models.training.lip_basis import person_weights

OWN = {
    "andrew_clip_1": ("andrew_clip_2",),
    "andrew_clip_2": ("andrew_clip_1",),
    "Obama_clip1_synced": ("Obama_clip2_synced", "Obama_clip3_synced"),
    "Obama_clip2_synced": ("Obama_clip1_synced", "Obama_clip3_synced"),
    "Obama_clip3_synced": ("Obama_clip1_synced", "Obama_clip2_synced"),
}
"""Clips to be judged, and those of the same person to adapt to."""
LEAST_SECONDS = 15.0
"""Of a clip of a stranger; shorter ones say little."""
FULL_WEIGHT_SECONDS = 20.0
RATE = Fraction(100)
"""Of the expressions that adaptation is given."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """A voice network and the people whom its training left out."""

    net: ExpressionNet
    strangers: frozenset[str]


class VoiceRows:
    """Clips, networks and baselines, brought together.

    Args:
        clips: everything that may be judged or learned from, with labels as far as there are any.
        trained: networks; a clip is judged with the first that has never met its person.
        atnet: AudioDVP's own encoder, if its method is to be compared as published.
    """

    def __init__(self, clips: Sequence[Clip], trained: Sequence[Trained], atnet: AtNet | None = None) -> None:
        self._ruler = Ruler.of(FaceModel.tracked())
        self._judged = {clip.recording.stem: Judged(clip, self._ruler) for clip in clips}
        self._trained = trained
        self._atnet = atnet
        self._weights = person_weights(clips, FULL_WEIGHT_SECONDS)

    def net_for(self, clip: Clip) -> ExpressionNet | None:
        """A network that never met this person."""
        return next((t.net for t in self._trained if clip.recording.person in t.strangers), None)

    @cached_property
    def _features(self) -> Mapping[str, Features]:
        encoder = self._trained[0].net.encoder
        with torch.inference_mode():
            return {
                stem: encoder(torch.from_numpy(judged.clip.sound)[None], encoder.initial_state())[0][0].numpy()
                for stem, judged in self._judged.items()
            }

    @cached_property
    def _atnet_features(self) -> Mapping[str, Features]:
        """AT-net's, each of the hops of a frame alike."""
        assert self._atnet is not None
        sounds = {stem: judged.clip.sound for stem, judged in self._judged.items()}
        return {stem: np.repeat(self._atnet.hear(s), FRAME, 0)[: len(s) // HOP].T for stem, s in sounds.items()}

    def _heard(self, baseline: Baseline) -> Mapping[str, Features]:
        return self._atnet_features if baseline.name == "audiodvp" else self._features

    @cached_property
    def _baselines(self) -> Sequence[Baseline]:
        baselines = [Baseline(name, delay) for name in ("ridge", "affine") for delay in DELAYS]
        baselines += [Baseline("audiodvp", AUDIODVP_DELAY)] if self._atnet else []
        for baseline in baselines:
            for stem, judged in self._judged.items():
                baseline.add(judged, self._heard(baseline)[stem], self._weights[stem])
        return baselines

    def own_person(self) -> Iterator[Row]:
        """The network adapted to other clips of the person, and baselines fitted on the same clips."""
        for stem, others in OWN.items():
            judged = self._judged[stem]
            learned = [self._judged[other] for other in others]
            net = self.net_for(judged.clip)
            if net is not None:
                sound, face, valid = joined([other.clip for other in learned])
                adaptation = adapt(net, FaceModel.tracked(), FaceModel.tracked(), sound, face, valid, RATE)
                yield from self._marotte(judged, adaptation.net, adaptation.voice.offset)
            middle = np.mean([np.median(other.clip.expression[other.clip.valid], 0) for other in learned], 0)
            yield from self._baseline_rows(judged, others, middle)

    def strangers(self) -> Iterator[Row]:
        """The network as it is, and baselines fitted on everybody else."""
        for judged in self._judged.values():
            person, net = judged.clip.recording.person, self.net_for(judged.clip)
            if net is None or judged.clip.valid.sum() * HOP / SAMPLE_RATE < LEAST_SECONDS:
                continue
            yield from self._marotte(judged, net, judged.rest)
            others = [name for name, other in self._judged.items() if other.clip.recording.person != person]
            middle = np.median(judged.clip.expression[judged.clip.valid], 0)
            yield from self._baseline_rows(judged, others, middle)

    def real(self) -> Iterator[Row]:
        """What a still mouth scores, and what labels and tracking let the person themselves reach."""
        for stem, judged in self._judged.items():
            if judged.clip.valid.sum() * HOP / SAMPLE_RATE >= LEAST_SECONDS:
                yield {
                    "clip": stem,
                    "still_lmd_percent": judged.still_percent(),
                    "closure": judged.real_closure(),
                    "teeth": judged.real_teeth(),
                }

    def _marotte(self, judged: Judged, net: ExpressionNet, offset: Float[NDArray[np.floating], " K"]) -> Iterator[Row]:
        for index, delay in enumerate(DELAYS):
            said, _ = net.step(torch.from_numpy(judged.clip.sound)[None], net.initial_state(), index)
            yield _row("marotte", delay, judged, judged.agreement(said.numpy() + offset, delay))

    def _baseline_rows(
        self, judged: Judged, learned: Sequence[str], middle: Float[NDArray[np.floating], " K"]
    ) -> Iterator[Row]:
        for baseline in self._baselines:
            features = self._heard(baseline)[judged.clip.recording.stem]
            said = baseline.say(baseline.learned(learned), features) + middle
            yield _row(baseline.name, baseline.delay, judged, judged.agreement(said, baseline.delay))


def joined(clips: Sequence[Clip]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Clips as one: the sound, and faces [N, K] with their validity at 100 per second."""
    sound = np.concatenate([clip.sound for clip in clips])
    face = np.concatenate([clip.expression[:-1] for clip in clips])
    return sound, face, np.concatenate([clip.valid[:-1] for clip in clips])


def _row(model: str, delay: int, judged: Judged, agreement: Agreement) -> Row:
    ms = delay * HOP * 1000 // SAMPLE_RATE
    return {"model": model, "look_ahead_ms": ms, "clip": judged.clip.recording.stem, **asdict(agreement)}
