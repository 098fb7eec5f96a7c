"""Train the universal voice network: python -m models.training.train_expression --fits DIR --clips DIR --out DIR

Letters: B batch, T hops, M members, D look-aheads, R lip components, K coefficients.

Every person counts alike, whatever the length of their clips and the size of their movements. Errors are measured on
the lips, in units of the person's own motion; the size of the population's motion comes back with `decode`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from numpy.typing import NDArray
from torch import Tensor, nn

from models.audio_encoder import BANDS, FEATURES, AudioEncoder
from models.expression_net import DIAL, ExpressionNet, LinearPath, Size, Trunk
from models.face_model import FaceModel
from models.training.expression_data import (
    Clip,
    LipMetric,
    decibels,
    idle_sound,
    in_room,
    load_clip,
    spectrum,
    with_noise,
)
from models.training.expression_sources import RECORDINGS

DELAYS = tuple(ms // 10 for ms in DIAL)
"""Look-aheads in hops."""
CLOSED_SHARE = 0.08
"""Of a clip's frames, the most closed ones: what the mouth at rest looks like."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the outcome."""

    seed: int = 1
    steps: int = 1500
    batch: int = 24
    hops: int = 300
    """Length of a training piece."""
    idle_share: float = 0.2
    """Of the pieces in which nobody speaks; the others are recordings of people."""
    idle_streams: int = 60
    noisy_copies: int = 2
    """Of each recording, beside the clean one, with noise and room."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    gap_weight: float = 0.5
    """Of the mouth's opening against all lip motion."""
    velocity_weight: float = 1.0
    ridge: float = 0.3
    """Penalty of the linear path that is fitted in closed form."""
    ridge_share: float = 0.5
    """Of that path in the average with the trained network."""
    least_seconds: float = 20.0
    """Of speech that give a person full weight."""
    size: dict[str, int] = field(default_factory=dict)


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
    motion: float
    """Size of the population's motion, cm: root mean square displacement of the lips."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Sound with what the face shall do: row k of `target` belongs to hop boundary k."""

    person: str
    decibels: Float32[NDArray[np.float32], "bands T"]
    target: Float32[NDArray[np.float32], "T1 R"]
    counts: NDArray[np.bool_]
    """Rows of the target that are known."""


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
    return Basis(encode, decode, gap, np.sum(rests, 0) / everyone, float(total / everyone))


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
        clip.recording.stem: float(
            clip.valid.sum() / 100 / max(seconds[clip.recording.person], least_seconds)
        )
        for clip in clips
    }


def make_streams(
    clips: Sequence[Clip], basis: Basis, encoder: AudioEncoder, config: Config
) -> tuple[list[list[Stream]], list[Stream]]:
    """Recordings (each with its spoilt copies) and idle streams."""
    rng = np.random.default_rng(config.seed)
    spoken = []
    for clip in clips:
        scores = clip_scores(clip, basis.encode)
        target = scores / np.sqrt((scores[clip.valid] ** 2).sum(1).mean()) - basis.rest
        sounds = [clip.sound]
        for i in range(config.noisy_copies):
            sound = in_room(clip.sound, rng) if i % 2 else clip.sound
            sounds.append(with_noise(sound, rng, rng.uniform(8, 30)))
        views = [decibels(sound, encoder) for sound in sounds]
        person = clip.recording.person
        spoken.append([Stream(person, view, target.astype(np.float32), clip.valid) for view in views])
    idle = []
    for _ in range(config.idle_streams):
        speech = clips[rng.integers(len(clips))].sound
        sound, start = idle_sound(speech, rng)
        view = decibels(sound, encoder)
        counts = np.arange(view.shape[1] + 1) >= (start + 15 if start else 0)
        idle.append(Stream("nobody", view, np.zeros((len(counts), len(basis.rest)), np.float32), counts))
    return spoken, idle


# --------------------------------------------------------------------------------------------------------- linear path


def windows(features: Float32[NDArray[np.float32], "features T"], delay: int, past: int) -> Float32[NDArray[np.float32], "T _"]:
    """What the linear path hears at each hop for a look-ahead of `delay` hops, in pairs of hops, flattened."""
    length = past + delay
    padded = np.pad(features, ((0, 0), (length - 1, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    pairs = view.reshape(len(features), -1, length // 2, 2).mean(-1)
    return np.ascontiguousarray(pairs.transpose(1, 0, 2)).reshape(view.shape[1], -1)


def as_kernel(weights: NDArray[np.float64], size: Size) -> Float32[NDArray[np.float32], "R features taps"]:
    """Regression weights over `windows` as a convolution kernel."""
    taps = weights.T.reshape(weights.shape[1], FEATURES, -1)
    return np.pad(taps, ((0, 0), (0, 0), (size.reach // 2 - taps.shape[2], 0))).astype(np.float32)


def shifted(values: NDArray[np.float32], delay: int) -> NDArray[np.float32]:
    """Row h: the value at hop boundary h + 1 - delay (the first one's before the start)."""
    at = np.arange(len(values) - 1) + 1 - delay
    return values[np.clip(at, 0, None)]


def fit_ridge(
    spoken: list[list[Stream]], weights: Sequence[float], encoder: AudioEncoder, size: Size, penalty: float
) -> Float[Tensor, "DR features taps"]:
    """Ridge regression from features to components for each look-ahead, through the origin."""
    kernels = []
    for delay in DELAYS:
        dimension = FEATURES * (size.past + delay) // 2
        gram, moment = np.zeros((dimension, dimension)), np.zeros((dimension, size.components))
        for copies, weight in zip(spoken, weights, strict=True):
            for stream in copies:
                features = encoder.features(torch.from_numpy(stream.decibels)[None])[0].numpy()
                x = windows(features, delay, size.past)
                counts = shifted(stream.counts, delay)
                x, y = x[counts], shifted(stream.target, delay)[counts]
                share = weight / len(copies) / len(x)
                gram += share * (x.T @ x)
                moment += share * (x.T @ y)
        kernels.append(as_kernel(np.linalg.solve(gram + penalty * sum(weights) * np.eye(dimension), moment), size))
    return torch.from_numpy(np.concatenate(kernels))


# ------------------------------------------------------------------------------------------------------ trained network


class Ensemble(nn.Module):
    """The network as it is trained: every member with its own head, beside one linear path."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.size = size
        outputs = size.members * len(DIAL) * size.components
        self.trunk = Trunk(size, dropout)
        self.head = nn.Conv1d(size.members * size.channels, outputs, 1, groups=size.members, bias=False)
        self.linear = LinearPath(size)
        with torch.no_grad():
            self.linear.taps.weight.zero_()
            self.head.weight *= 0.3

    def forward(self, features: Float[Tensor, "B features T"]) -> Float[Tensor, "B M D R T"]:
        """Components from features that follow silence."""
        trunk, _ = self.trunk(features, self.trunk.initial_state(len(features)))
        linear, _ = self.linear(features, self.linear.initial_state(len(features)))
        out = self.head(trunk).unflatten(1, (self.size.members, -1)) + linear[:, None]
        return out.unflatten(2, (len(DIAL), self.size.components))

    def fold(self, net: ExpressionNet, ridge: Float[Tensor, "DR features taps"], ridge_share: float) -> None:
        """Put the average of the members and the ridge into the network that is shipped."""
        members, own = self.size.members, 1 - ridge_share
        net.trunk.load_state_dict(self.trunk.state_dict())
        head = self.head.weight.detach().unflatten(0, (members, -1))  # M, DR, channels, 1
        with torch.no_grad():
            net.head.weight.copy_(torch.cat(list(head), 1) * (own / members))
            net.linear.taps.weight.copy_(self.linear.taps.weight * own + ridge * ridge_share)


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
    view = view + uniform(-4, 3) + uniform(-6, 6) * band + uniform(-4, 4) * (band**2 - 0.33)
    lost = (band - uniform(-1.5, 1.5)).abs() < uniform(0, 0.15)
    return view - 25.0 * lost


class Sampler:
    """Draws pieces: people by weight, nobody by `idle_share`."""

    def __init__(
        self, spoken: list[list[Stream]], weights: Sequence[float], idle: list[Stream], config: Config
    ) -> None:
        self._spoken, self._idle, self._config = spoken, idle, config
        self._weights = np.array(weights) / sum(weights)
        self._rng = np.random.default_rng(config.seed)

    def __call__(self) -> tuple[Tensor, Tensor, Tensor]:
        """Views [B, bands, T], targets [B, D, R, T] and weights [B, D, T]."""
        pieces = [self._piece() for _ in range(self._config.batch)]
        views, targets, counts = (torch.from_numpy(np.stack(part)) for part in zip(*pieces, strict=True))
        return views, targets, counts

    def _piece(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        rng, hops = self._rng, self._config.hops
        if rng.random() < self._config.idle_share:
            stream = self._idle[rng.integers(len(self._idle))]
        else:
            copies = self._spoken[rng.choice(len(self._spoken), p=self._weights)]
            stream = copies[rng.integers(len(copies))]
        length = stream.decibels.shape[1]
        start = int(rng.integers(0, max(length - hops, 0) + 1))
        stop = min(start + hops, length)
        view = np.full((BANDS, hops), -200.0, np.float32)
        view[:, : stop - start] = stream.decibels[:, start:stop]
        target = np.zeros((len(DELAYS), stream.target.shape[1], hops), np.float32)
        counts = np.zeros((len(DELAYS), hops), np.float32)
        hop = np.arange(start, stop)
        warm = 40 if start else 0  # hops until the memory is filled
        for d, delay in enumerate(DELAYS):
            row = hop + 1 - delay
            known = np.clip(row, 0, None)
            target[d, :, : stop - start] = stream.target[known].T
            counts[d, : stop - start] = stream.counts[known] & (row >= 0) & (hop >= start + warm)
        return view, target, counts


def loss(
    out: Float[Tensor, "B M D R T"],
    target: Float[Tensor, "B D R T"],
    counts: Float[Tensor, "B D T"],
    gap: Float[Tensor, " R"],
    config: Config,
) -> Float[Tensor, ""]:
    """Squared error of the lips, of their opening, and of both's change over 40 ms."""

    def squared(error: Float[Tensor, "B M D R T"], weight: Float[Tensor, "B D T"]) -> Float[Tensor, ""]:
        opening = torch.einsum("bmdrt,r->bmdt", error, gap)
        both = error.square().sum(3) + config.gap_weight * opening.square()
        return (both * weight[:, None]).sum() / weight.sum() / out.shape[1]

    error = out - target[:, None]
    change = error[..., 4:] - error[..., :-4]
    return squared(error, counts) + config.velocity_weight * squared(change, counts[..., 4:] * counts[..., :-4])


def train(
    clips: Sequence[Clip], metric: LipMetric, config: Config, log: bool = True
) -> tuple[ExpressionNet, Basis]:
    """Train on clips; the same clips and configuration give the same network on the same machine."""
    torch.manual_seed(config.seed)
    size = Size(coefficients=len(metric.gap), **config.size)
    net = ExpressionNet(size)
    by_stem = person_weights(clips, config.least_seconds)
    weights = [by_stem[clip.recording.stem] for clip in clips]
    basis = find_basis(clips, metric, size.components, by_stem)
    net.encoder.spectrum.copy_(torch.from_numpy(spectrum([decibels(c.sound, net.encoder) for c in clips]))[:, None])
    net.decode.copy_(torch.from_numpy(basis.decode * basis.motion))
    spoken, idle = make_streams(clips, basis, net.encoder, config)
    ridge = fit_ridge(spoken, weights, net.encoder, size, config.ridge)
    ensemble = Ensemble(size, config.dropout)
    sampler = Sampler(spoken, weights, idle, config)
    generator = torch.Generator().manual_seed(config.seed)
    gap = torch.from_numpy(basis.gap / np.linalg.norm(basis.gap)).float()
    optimizer = torch.optim.AdamW(ensemble.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps)
    ensemble.train()
    running = 0.0
    for step in range(config.steps):
        view, target, counts = sampler()
        features = net.encoder.features(augment(view, generator))
        cost = loss(ensemble(features), target, counts, gap, config)
        optimizer.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(ensemble.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running += (float(cost.detach()) - running) / min(step + 1, 100)
        if log and (step + 1) % 100 == 0:
            print(f"step {step + 1:5d} of {config.steps}   loss {running:.4f}", flush=True)
    ensemble.fold(net, ridge, config.ridge_share)
    return net.eval(), basis
