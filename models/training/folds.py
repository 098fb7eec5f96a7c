"""Who learns from whom: networks are trained side by side, each without some people, and judged on those.

Letters: T hops, Q rows of the whole corpus, R lip components, K coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32
from numpy.typing import NDArray

from models.audio_encoder import AudioEncoder
from models.training.expression_data import Clip, Recording
from models.training.expression_sources import KEPT_OUT
from models.training.linear_path import Features
from models.training.lip_basis import Basis, clip_scores, find_basis, person_weights
from models.training.lip_metric import LipMetric
from models.training.voice_corpus import Corpus, Sound, powers_of

NOBODY = frozenset(recording.person for recording in KEPT_OUT)
"""Whom no network learns from."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording of a person as a fold sees it."""

    name: str
    features: Features
    target: Float32[NDArray[np.float32], "T1 R"]
    counts: Bool[NDArray[np.bool_], " T1"]
    weight: float


@dataclass(frozen=True, slots=True)
class Fold:
    """One network's people, and the lip components that they have in common."""

    left_out: frozenset[str]
    basis: Basis

    @classmethod
    def of(cls, corpus: Corpus, left_out: Sequence[str], metric: LipMetric, components: int, least: float) -> Fold:
        """The fold without some people; `least` seconds of speech give a person full weight."""
        out = NOBODY | frozenset(left_out)
        clips = [clip for _, clip in faces(corpus) if clip.recording.person not in out]
        return cls(out, find_basis(clips, metric, components, person_weights(clips, least)))

    def learns(self, person: str) -> bool:
        """Whether the fold may learn from a person."""
        return person not in self.left_out

    def target(self, clip: Clip) -> Float32[NDArray[np.float32], "T1 R"]:
        """Lip components, in units of the person's motion, from the mouth at rest."""
        scores = clip_scores(clip, self.basis.encode)
        return (scores / np.sqrt((scores[clip.valid] ** 2).sum(1).mean()) - self.basis.rest).astype(np.float32)

    def all_targets(self, corpus: Corpus) -> Float32[NDArray[np.float32], "Q R"]:
        """The same of the whole corpus; zero where nobody's face is known."""
        rows = np.zeros((len(corpus.visemes), self.basis.encode.shape[1]), np.float32)
        for sound, clip in faces(corpus):
            rows[corpus.rows(sound)] = self.target(clip)
        return rows

    def spoken(self, corpus: Corpus, encoder: AudioEncoder, least: float) -> list[Spoken]:
        """The recordings that the fold learns from."""
        chosen = [(sound, clip) for sound, clip in faces(corpus) if self.learns(sound.person)]
        weights = person_weights([clip for _, clip in chosen], least)
        return [
            Spoken(sound.name, features_of(corpus, sound, encoder), self.target(clip), clip.valid, weights[sound.name])
            for sound, clip in chosen
        ]


def faces(corpus: Corpus) -> list[tuple[Sound, Clip]]:
    """Recordings of people, each once, without their sound."""
    found: dict[str, tuple[Sound, Clip]] = {}
    for sound in corpus.sounds:
        if sound.source == "people" and sound.name not in found:
            rows = corpus.rows(sound)
            face = corpus.targets["face"][rows].astype(np.float32)
            about = Recording(sound.name, sound.person, 0.0)
            silent, visemes = np.zeros(0, np.float32), corpus.visemes[rows].astype(np.int64)
            found[sound.name] = sound, Clip(about, silent, face, corpus.known["face"][rows], visemes)
    return list(found.values())


def features_of(corpus: Corpus, sound: Sound, encoder: AudioEncoder) -> Features:
    """What the network hears of a sound."""
    with torch.inference_mode():
        powers = powers_of(torch.from_numpy(corpus.of(sound)).T[None])
        return encoder.features(encoder.against_loudness(powers, encoder.initial_state())[0])[0].numpy()
