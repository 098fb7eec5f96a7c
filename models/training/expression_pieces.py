"""What one training step of the voice network sees: pieces of recordings, and of sounds without speech.

Letters: B batch, T hops, D look-aheads, R lip components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from numpy.typing import NDArray
from torch import Tensor

from models.audio_encoder import BANDS, HOP, PRESENCE, AudioEncoder
from models.training.expression_data import Clip, Signal, decibels
from models.training.expression_sounds import idle_sound, in_room, with_noise
from models.training.linear_path import DELAYS, LOUD
from models.training.lip_basis import Basis, clip_scores
from models.training.visemes import UNKNOWN, Visemes

CLOSING = 20
"""Hops that a mouth may take to close after the last sound."""
PAUSE = 40
"""Hops without a sound that still belong to speech."""
ONSET = 4
"""Hops before the first sound in which the mouth may already move."""
BEGINNING_SHARE = 0.25
"""Of the pieces, those from the beginning of a stream, where nothing was heard before."""
WARM = 40
"""Hops until the network's memory is filled, in a piece from the middle of a recording."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Sound with what the face shall do: row k of `target` belongs to hop boundary k."""

    decibels: Float32[NDArray[np.float32], "bands T"]
    target: Float32[NDArray[np.float32], "T1 R"]
    counts: NDArray[np.bool_]
    """Rows of the target that are known."""
    speaks: Float32[NDArray[np.float32], " T1"]
    """1 where somebody speaks, 0 where nobody does, NaN where it is not clear."""
    visemes: Visemes


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces of streams, with what the network shall say at each hop for each look-ahead."""

    decibels: Float[Tensor, "B bands T"]
    target: Float[Tensor, "B D R T"]
    counts: Float[Tensor, "B D T"]
    """Weight of the target."""
    speaks: Float[Tensor, "B D T"]
    visemes: Int[Tensor, "B D T"]


@dataclass(frozen=True, slots=True)
class Source:
    """Streams to draw from, the same sound in several states together."""

    share: float
    """Of the pieces."""
    choices: Sequence[Sequence[Stream]]
    weights: Sequence[float]
    """Of the choices."""


def moving_target(clip: Clip, basis: Basis) -> Float32[NDArray[np.float32], "T1 R"]:
    """Lip components of a recording, in units of the person's motion, from the mouth at rest."""
    scores = clip_scores(clip, basis.encode)
    return (scores / np.sqrt((scores[clip.valid] ** 2).sum(1).mean()) - basis.rest).astype(np.float32)


def spoken_streams(
    clip: Clip,
    target: Float32[NDArray[np.float32], "T1 R"],
    encoder: AudioEncoder,
    copies: int,
    rng: np.random.Generator,
) -> list[Stream]:
    """A voice as it is, and copies with noise, half of them in a room as well; copies begin anywhere."""
    view = decibels(clip.sound, encoder)
    presence = encoder.features(torch.from_numpy(view)[None])[0, -1].numpy()
    loud = np.append(presence[:1], presence) > LOUD * PRESENCE
    # A pause belongs to the speech before it; whether speech is to come nobody can hear.
    near = np.convolve(loud, np.r_[np.zeros(PAUSE - ONSET), np.ones(PAUSE + ONSET + 1)], "same") > 0.5
    speaks = np.where(near, 1, np.nan).astype(np.float32)
    streams = [Stream(view, target, clip.valid, speaks, clip.visemes)]
    for _ in range(copies):
        start = int(rng.integers(len(presence) // 2))
        sound = clip.sound[start * HOP :]
        sound = with_noise(in_room(sound, rng) if rng.random() < 0.5 else sound, rng, rng.uniform(8, 30))
        rest = slice(start, None)
        streams.append(
            Stream(decibels(sound, encoder), target[rest], clip.valid[rest], speaks[rest], clip.visemes[rest])
        )
    return streams


def idle_stream(speech: Signal, components: int, encoder: AudioEncoder, rng: np.random.Generator) -> Stream:
    """Nobody speaks, or nobody does any more: the mouth is at rest."""
    sound, start = idle_sound(speech, rng)
    view = decibels(sound, encoder)
    rows = view.shape[1] + 1
    counts = np.arange(rows) >= (start + CLOSING if start else 0)
    speaks = np.where(np.arange(rows) >= (start + PAUSE if start else 0), 0, np.nan).astype(np.float32)
    unlabelled = np.full(rows, UNKNOWN, np.int64)
    return Stream(view, np.zeros((rows, components), np.float32), counts, speaks, unlabelled)


def augment(view: Float[Tensor, "B bands T"], generator: torch.Generator) -> Float[Tensor, "B bands T"]:
    """Other voices and microphones: loudness, tilt, a bend, formants moved by up to 8 %, a few bands lost."""
    batch = len(view)

    def uniform(low: float, high: float) -> Float[Tensor, "B 1 1"]:
        return low + (high - low) * torch.rand(batch, 1, 1, generator=generator)

    band = torch.linspace(-1, 1, BANDS)[None, :, None]
    position = ((band + 1) / 2 * (BANDS - 1) * uniform(0.92, 1.08)).clamp(0, BANDS - 1.001)
    below = position.floor()
    weight = position - below
    index = below.long().expand_as(view)
    view = view.gather(1, index) * (1 - weight) + view.gather(1, index + 1) * weight
    view = view + uniform(-4.0, 3.0) + uniform(-6.0, 6.0) * band + uniform(-4.0, 4.0) * (band**2 - 0.33)
    lost = (band - uniform(-1.5, 1.5)).abs() < uniform(0.0, 0.15)
    return view - 25.0 * lost


class Sampler:
    """Draws pieces of `hops` from sources by their shares, and from their choices by weight."""

    def __init__(self, sources: Sequence[Source], hops: int, seed: int) -> None:
        self._sources = [source for source in sources if source.choices]
        self._hops = hops
        self._rng = np.random.default_rng(seed)

    def __call__(self, batch: int) -> Batch:
        """Draw a batch."""
        pieces = [self._piece() for _ in range(batch)]
        return Batch(*(torch.from_numpy(np.stack(part)) for part in zip(*pieces, strict=True)))

    def _piece(self) -> tuple[NDArray[np.generic], ...]:
        rng, hops = self._rng, self._hops
        source = self._sources[_draw(rng, [source.share for source in self._sources])]
        copies = source.choices[_draw(rng, source.weights)]
        stream = copies[int(rng.integers(len(copies)))]
        length = stream.decibels.shape[1]
        begins = rng.random() < BEGINNING_SHARE
        start = 0 if begins else int(rng.integers(0, max(length - hops, 0) + 1))
        stop = min(start + hops, length)
        view = np.full((BANDS, hops), -200.0, np.float32)
        view[:, : stop - start] = stream.decibels[:, start:stop]
        target = np.zeros((len(DELAYS), stream.target.shape[1], hops), np.float32)
        counts = np.zeros((len(DELAYS), hops), np.float32)
        speaks = np.full((len(DELAYS), hops), np.nan, np.float32)
        visemes = np.full((len(DELAYS), hops), UNKNOWN)
        hop = np.arange(start, stop)
        warm = WARM if start else 0
        for d, delay in enumerate(DELAYS):
            row = hop + 1 - delay
            known = np.clip(row, 0, None)
            target[d, :, : stop - start] = stream.target[known].T
            heard = (row >= 0) & (hop >= start + warm)
            speaks[d, : stop - start] = np.where(heard, stream.speaks[known], np.nan)
            visemes[d, : stop - start] = np.where(heard, stream.visemes[known], UNKNOWN)
            counts[d, : stop - start] = stream.counts[known] & heard
        return view, target, counts, speaks, visemes


def _draw(rng: np.random.Generator, weights: Sequence[float]) -> int:
    return int(rng.choice(len(weights), p=np.array(weights) / sum(weights)))
