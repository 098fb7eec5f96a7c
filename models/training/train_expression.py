"""Train the universal voice network: python -m models.training.train_expression --fits DIR --clips DIR --out DIR

Letters: B batch, T hops, M members, D look-aheads, R lip components, K coefficients.

Every person counts alike, whatever the length of their clips and the size of their movements. Errors are measured on
the lips, in units of the person's own motion; the size of the population's motion comes back with `decode`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.audio_encoder import AudioEncoder
from models.expression_net import DIAL, ExpressionNet, Size
from models.face_model import FaceModel
from models.training.closed_lips import sharpen_closures
from models.training.expression_data import Clip, decibels, load_clip, load_voice, sound_files, spectrum
from models.training.expression_ensemble import Ensemble, lip_loss, viseme_loss
from models.training.expression_pieces import (
    Sampler,
    Source,
    Stream,
    augment,
    idle_stream,
    moving_target,
    spoken_streams,
)
from models.training.expression_sources import KEPT_OUT, RECORDINGS
from models.training.linear_path import DELAYS, Regression, amplify, as_taps, hear, shifted, windows
from models.training.lip_basis import Basis, find_basis, person_weights
from models.training.lip_metric import LipMetric
from models.training.train_gate import train_gate
from models.training.visemes import UNKNOWN


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the outcome."""

    seed: int = 1
    steps: int = 3000
    batch: int = 16
    hops: int = 300
    """Length of a training piece."""
    voices_share: float = 0.35
    """Of the pieces, those from voices without a face; they teach visemes only."""
    idle_share: float = 0.1
    """Of the pieces, those in which nobody speaks. The others are recordings of people."""
    idle_streams: int = 500
    gate_steps: int = 3000
    noisy_copies: int = 1
    """Of each voice, beside the clean one, with noise and room."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    gap_weight: float = 0.5
    """Of the mouth's opening against all lip motion."""
    velocity_weight: float = 1.0
    viseme_weight: float = 0.5
    ridge: float = 1.0
    """Penalty of the linear path that is fitted in closed form."""
    ridge_share: float = 0.5
    """Of that path in the average with the trained network."""
    least_seconds: float = 20.0
    """Of speech that give a person full weight."""
    sharpness: float = 0.5
    """Spread of the log odds that the lips meet, as a share of that of the predicted opening they are mixed into."""
    gain: float = 1.8
    """On the motion about the mean face of speech: a predictor by squared error moves about half as far as people."""
    members: int = 2
    channels: int = 64
    """Of each member."""


def fit_ridge(
    spoken: Sequence[Stream], weights: Sequence[float], encoder: AudioEncoder, size: Size, penalty: float
) -> Float[Tensor, "DR features taps"]:
    """Ridge regression from features of recordings to components, for each look-ahead."""
    taps = []
    for delay in DELAYS:
        sums = Regression()
        for clean, weight in zip(spoken, weights, strict=True):
            features = encoder.features(torch.from_numpy(clean.decibels)[None])[0].numpy()
            counts = shifted(clean.counts, delay)
            rows = windows(features, delay, size.past)[counts]
            sums.add(rows, shifted(clean.target, delay)[counts], weight)
        taps.append(as_taps(sums.solve(penalty), size))
    return torch.from_numpy(np.concatenate(taps))


def train(clips: Sequence[Clip], voices: Sequence[Clip], metric: LipMetric, config: Config) -> ExpressionNet:
    """Train on clips, and on voices without a face as far as visemes go; a seed gives the same network again."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = ExpressionNet(Size(len(metric.gap), members=config.members, channels=config.channels))
    by_stem = person_weights(clips, config.least_seconds)
    weights = [by_stem[clip.recording.stem] for clip in clips]
    basis = find_basis(clips, metric, net.size.components, by_stem)
    _set_scales(net, basis, clips)
    spoken, heard, idle = make_sources(clips, voices, weights, basis, net.encoder, config, rng)
    quiet = replace(idle, share=0.5)
    gate_error = train_gate(
        net.gate,
        net.encoder,
        Sampler([spoken, heard, quiet], config.hops, config.seed),
        config.gate_steps,
        config.batch,
    )
    print(f"speech gate: cross entropy {gate_error:.4f}", flush=True)
    clean = [stream for stream, *_ in spoken.choices]
    ridge = fit_ridge(clean, weights, net.encoder, net.size, config.ridge)
    ensemble = Ensemble(net.size, config.dropout)
    _optimise(ensemble, Sampler([spoken, heard, idle], config.hops, config.seed), net, config)
    ensemble.fold(net, ridge, config.ridge_share)
    sharpen_closures(net, clean, weights, config.sharpness)
    means = [hear(net, clip.sound).speech_mean() * weight for clip, weight in zip(clips, weights, strict=True)]
    mean = np.sum(means, 0) / sum(weights)
    amplify(net, np.full(len(DIAL), config.gain), mean, mean)
    return net.eval()


def make_sources(
    clips: Sequence[Clip],
    voices: Sequence[Clip],
    weights: Sequence[float],
    basis: Basis,
    encoder: AudioEncoder,
    config: Config,
    rng: np.random.Generator,
) -> tuple[Source, Source, Source]:
    """People with a face, voices without, and nobody."""
    components, copies = basis.encode.shape[1], config.noisy_copies
    spoken = [spoken_streams(clip, moving_target(clip, basis), encoder, copies, rng) for clip in clips]
    unseen = [np.zeros((len(voice.valid), components), np.float32) for voice in voices]
    heard = [spoken_streams(voice, still, encoder, copies, rng) for voice, still in zip(voices, unseen, strict=True)]
    before = [clips[i].sound for i in rng.integers(len(clips), size=config.idle_streams)]
    idle = [[idle_stream(sound, components, encoder, rng)] for sound in before]
    seen_share = 1 - config.voices_share - config.idle_share
    return (
        Source(seen_share, spoken, weights),
        Source(config.voices_share, heard, [1.0] * len(heard)),
        Source(config.idle_share, idle, [1.0] * len(idle)),
    )


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
        components, visemes = ensemble(net.encoder.features(augment(batch.decibels, generator)))
        cost = lip_loss(components, batch.target, batch.counts, gap, config.gap_weight, config.velocity_weight)
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
    parser.add_argument("--voices", type=Path, help="folder with speech without pictures")
    parser.add_argument("--visemes", type=Path, help="folder with labels for clips and voices; see label_visemes.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for expression.safetensors and report.json")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="PERSON", help="people to report on only")
    parser.add_argument("--steps", type=int, default=Config().steps)
    options = parser.parse_args()
    metric, config = LipMetric.of(FaceModel.tracked()), Config(steps=options.steps)
    clips = [load_clip(recording, options.fits, options.clips, options.visemes) for recording in RECORDINGS]
    learned = [clip for clip in clips if clip.recording.person not in options.leave_out]
    files = sound_files(options.voices).values() if options.voices else ()
    voices = [load_voice(file, options.visemes) for file in files]
    net = train(learned, [voice for voice in voices if (voice.visemes != UNKNOWN).any()], metric, config)
    options.out.mkdir(parents=True, exist_ok=True)
    net.save(options.out / "expression.safetensors")
    strangers = [clip for clip in clips if clip.recording.person in options.leave_out]
    strangers += [load_clip(recording, options.fits, options.clips) for recording in KEPT_OUT]
    left_out = [*options.leave_out, *sorted({recording.person for recording in KEPT_OUT})]
    table = {"learned": report(net, learned, metric), "strangers": report(net, strangers, metric)}
    whole = {"config": asdict(config), "left_out": left_out, **table}
    (options.out / "report.json").write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
