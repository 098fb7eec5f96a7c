"""Train the universal voice network: python -m models.training.train_expression --fits DIR --clips DIR --out DIR

Letters: B batch, T hops, M members, D look-aheads, R lip components, K coefficients.

Every person counts alike, whatever the length of their clips and the size of their movements. Errors are measured on
the lips, in units of the person's own motion; the size of the population's motion comes back with `decode`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.audio_encoder import AudioEncoder
from models.expression_net import DIAL, ExpressionNet, LinearPath, Size, Trunk, opened
from models.face_model import FaceModel
from models.training.expression_data import Clip, decibels, load_clip, spectrum
from models.training.expression_pieces import Sampler, Stream, augment, idle_stream, spoken_streams
from models.training.expression_sources import KEPT_OUT, RECORDINGS
from models.training.linear_path import DELAYS, Regression, amplify, as_taps, hear, shifted, windows
from models.training.lip_basis import Basis, find_basis, person_weights
from models.training.lip_metric import LipMetric
from models.training.visemes import GROUPS, UNKNOWN


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the outcome."""

    seed: int = 1
    steps: int = 1500
    batch: int = 16
    hops: int = 300
    """Length of a training piece."""
    idle_share: float = 0.2
    """Of the pieces in which nobody speaks; the others are recordings of people."""
    idle_streams: int = 100
    noisy_copies: int = 3
    """Of each recording, beside the clean one, with noise and room."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    gap_weight: float = 0.5
    """Of the mouth's opening against all lip motion."""
    velocity_weight: float = 1.0
    gate_weight: float = 0.5
    viseme_weight: float = 0.3
    ridge: float = 0.3
    """Penalty of the linear path that is fitted in closed form."""
    ridge_share: float = 0.5
    """Of that path in the average with the trained network."""
    least_seconds: float = 20.0
    """Of speech that give a person full weight."""
    gain: float = 1.6
    """On the motion about the mean face of speech: a predictor by squared error moves about half as far as people."""
    members: int = 2
    channels: int = 64
    """Of each member."""


def fit_ridge(
    spoken: list[list[Stream]], weights: Sequence[float], encoder: AudioEncoder, size: Size, penalty: float
) -> Float[Tensor, "DR features taps"]:
    """Ridge regression from features to components for each look-ahead."""
    taps = []
    for delay in DELAYS:
        sums = Regression()
        for copies, weight in zip(spoken, weights, strict=True):
            for stream in copies:
                features = encoder.features(torch.from_numpy(stream.decibels)[None])[0].numpy()
                counts = shifted(stream.counts, delay)
                rows = windows(features, delay, size.past)[counts]
                sums.add(rows, shifted(stream.target, delay)[counts], weight / len(copies))
        taps.append(as_taps(sums.solve(penalty), size))
    return torch.from_numpy(np.concatenate(taps))


# ------------------------------------------------------------------------------------------------------ trained network


class Ensemble(nn.Module):
    """The network as it is trained: every member with its own head, beside one linear path."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.size = size
        outputs = size.members * len(DIAL) * size.components
        self.trunk = Trunk(size, dropout)
        self.head = nn.Conv1d(size.members * size.channels, outputs, 1, groups=size.members, bias=False)
        self.gate = nn.Conv1d(size.members * size.channels, len(DIAL), 1)
        self.visemes = nn.Conv1d(
            size.members * size.channels, size.members * len(DIAL) * len(GROUPS), 1, groups=size.members
        )
        self.linear = LinearPath(size)
        with torch.no_grad():
            self.linear.taps.weight.zero_()
            self.head.weight *= 0.3

    def forward(
        self, features: Float[Tensor, "B features T"]
    ) -> tuple[Float[Tensor, "B M D R T"], Float[Tensor, "B D T"], Float[Tensor, "B M D visemes T"]]:
        """Components from features that follow silence, log odds that somebody speaks, logits of visemes."""
        trunk, _ = self.trunk(features, self.trunk.initial_state(len(features)))
        linear, _ = self.linear(features, self.linear.initial_state(len(features)))
        out = self.head(trunk).unflatten(1, (self.size.members, -1)) + linear[:, None]
        visemes = self.visemes(trunk).unflatten(1, (self.size.members, len(DIAL), len(GROUPS)))
        return out.unflatten(2, (len(DIAL), self.size.components)), self.gate(trunk), visemes

    def fold(self, net: ExpressionNet, ridge: Float[Tensor, "DR features taps"], ridge_share: float) -> None:
        """Put the average of the members and the ridge into the network that is shipped."""
        members, own = self.size.members, 1 - ridge_share
        net.trunk.load_state_dict(self.trunk.state_dict())
        net.gate.load_state_dict(self.gate.state_dict())
        head = self.head.weight.detach().chunk(members)
        with torch.no_grad():
            net.head.weight.copy_(torch.cat(head, 1) * (own / members))
            net.linear.taps.weight.copy_(self.linear.taps.weight * own + ridge * ridge_share)


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


def gate_loss(logits: Float[Tensor, "B D T"], speaks: Float[Tensor, "B D T"]) -> Float[Tensor, ""]:
    """Cross entropy where it is known whether somebody speaks (0 or 1; NaN where not)."""
    known = ~speaks.isnan()
    return nn.functional.binary_cross_entropy_with_logits(logits[known], speaks[known])


def viseme_loss(logits: Float[Tensor, "B M D visemes T"], visemes: Int[Tensor, "B D T"]) -> Float[Tensor, ""]:
    """Cross entropy where there are labels; zero where there are none at all."""
    each = [
        nn.functional.cross_entropy(member.flatten(0, 1), visemes.flatten(0, 1), ignore_index=UNKNOWN, reduction="sum")
        for member in logits.unbind(1)
    ]
    return torch.stack(each).mean() / (visemes != UNKNOWN).sum().clamp_min(1)


def train(clips: Sequence[Clip], metric: LipMetric, config: Config) -> ExpressionNet:
    """Train on clips; the same clips and configuration give the same network on the same machine."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = ExpressionNet(Size(len(metric.gap), members=config.members, channels=config.channels))
    by_stem = person_weights(clips, config.least_seconds)
    weights = [by_stem[clip.recording.stem] for clip in clips]
    basis = find_basis(clips, metric, net.size.components, by_stem)
    _set_scales(net, basis, clips)
    spoken = [spoken_streams(clip, basis, net.encoder, config.noisy_copies, rng) for clip in clips]
    voices = [clips[i].sound for i in rng.integers(len(clips), size=config.idle_streams)]
    idle = [idle_stream(voice, net.size.components, net.encoder, rng) for voice in voices]
    ridge = fit_ridge(spoken, weights, net.encoder, net.size, config.ridge)
    ensemble = Ensemble(net.size, config.dropout)
    _optimise(ensemble, Sampler(spoken, weights, idle, config.idle_share, config.hops, config.seed), net, config)
    ensemble.fold(net, ridge, config.ridge_share)
    means = [hear(net, clip.sound).speech_mean() * weight for clip, weight in zip(clips, weights, strict=True)]
    amplify(net, np.full(len(DIAL), config.gain), np.sum(means, 0) / sum(weights))
    return net.eval()


def _set_scales(net: ExpressionNet, basis: Basis, clips: Sequence[Clip]) -> None:
    """What is measured rather than learned."""
    speech = spectrum([decibels(clip.sound, net.encoder) for clip in clips])
    net.encoder.spectrum.copy_(torch.from_numpy(speech)[:, None])
    net.decode.copy_(torch.from_numpy(basis.decode * basis.motion))
    net.gap.copy_(torch.from_numpy(basis.gap))
    net.part.copy_(torch.from_numpy(basis.part))


def _optimise(ensemble: Ensemble, sampler: Sampler, net: ExpressionNet, config: Config) -> None:
    generator = torch.Generator().manual_seed(config.seed)
    gap = net.gap / net.gap.norm()
    optimizer = torch.optim.AdamW(ensemble.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, config.steps)
    ensemble.train()
    running = 0.0
    for step in range(1, config.steps + 1):
        batch = sampler(config.batch)
        components, speaks, visemes = ensemble(net.encoder.features(augment(batch.decibels, generator)))
        gated = components * opened(speaks.detach())[:, None, :, None]
        cost = loss(gated, batch.target, batch.counts, gap, config)
        cost = cost + config.gate_weight * gate_loss(speaks, batch.speaks)
        cost = cost + config.viseme_weight * viseme_loss(visemes, batch.visemes)
        optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(ensemble.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running += (float(cost.detach()) - running) / min(step, 100)
        if step % 100 == 0:
            print(f"step {step:5d} of {config.steps}   loss {running:.4f}", flush=True)


def report(net: ExpressionNet, clips: Sequence[Clip], metric: LipMetric) -> dict[str, dict[str, dict[str, float]]]:
    """Correlation and size of the mouth's opening against the fitted one, by clip and look-ahead in ms."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for clip in clips:
        opening = (clip.expression @ metric.gap).astype(np.float64)
        row = {}
        for index, (ms, delay) in enumerate(zip(DIAL, DELAYS, strict=True)):
            said = net.step(torch.from_numpy(clip.sound)[None], net.initial_state(), index)[0].numpy() @ metric.gap
            counts = shifted(clip.valid, delay)
            counts[:delay] = False
            said, true = said[counts], shifted(opening, delay)[counts]
            row[str(ms)] = {"r": float(np.corrcoef(said, true)[0, 1]), "amplitude": float(said.std() / true.std())}
        table[clip.recording.stem] = row
        print(
            f"{clip.recording.stem:28s}",
            "  ".join(f"{ms} ms {v['r']:.2f} x{v['amplitude']:.2f}" for ms, v in row.items()),
        )
    return table


def main() -> None:
    """Train, report, write expression.safetensors and report.json."""
    parser = argparse.ArgumentParser(description="Train the universal voice network.")
    parser.add_argument("--fits", type=Path, required=True, help="folder with the fitted expressions, <clip>.npz")
    parser.add_argument("--clips", type=Path, required=True, help="folder with the clips")
    parser.add_argument("--phonemes", type=Path, help="folder with phindex.json and phoneme/<clip>_seq.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for expression.safetensors and report.json")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="PERSON", help="people to report on only")
    parser.add_argument("--steps", type=int, default=Config().steps)
    options = parser.parse_args()
    metric, config = LipMetric.of(FaceModel.tracked()), Config(steps=options.steps)
    clips = [load_clip(recording, options.fits, options.clips, options.phonemes) for recording in RECORDINGS]
    learned = [clip for clip in clips if clip.recording.person not in options.leave_out]
    net = train(learned, metric, config)
    options.out.mkdir(parents=True, exist_ok=True)
    net.save(options.out / "expression.safetensors")
    strangers = [clip for clip in clips if clip.recording.person in options.leave_out]
    strangers += [load_clip(recording, options.fits, options.clips) for recording in KEPT_OUT]
    table = {"learned": report(net, learned, metric), "strangers": report(net, strangers, metric)}
    (options.out / "report.json").write_text(json.dumps({"config": asdict(config), **table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
