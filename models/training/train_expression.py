"""Train the universal voice network: python -m models.training.train_expression --corpus FILE --out DIR

Letters: D look-aheads, R lip components, K coefficients.

Every person counts alike, whatever the length of their clips and the size of their movements. Errors are measured on
the lips, in units of the person's own motion; the size of the population's motion comes back with `decode`. Networks
that have never met some of the people can be trained at the same time, on the same pieces; they are what is measured.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.expression_net import ExpressionNet, Size
from models.face_model import FaceModel
from models.training.closed_lips import sharpen_closures
from models.training.expression_batches import Batches
from models.training.expression_config import Config
from models.training.expression_ensemble import Ensemble
from models.training.expression_losses import Lips, heads_of, same_mouth_loss, total_loss
from models.training.folds import Fold, Spoken, faces, features_of
from models.training.linear_path import DELAYS, Regression, amplify, as_taps, hear_features, shifted, windows
from models.training.lip_metric import LipMetric, lower_lip
from models.training.train_gate import train_gate
from models.training.voice_corpus import Corpus

RISE = 0.1
"""Of the training, in which the learning rate rises."""
TRUST = (0.2, 0.4)
"""Parts of the training between which the running mean comes to be believed."""
LEAST_SECONDS = 15.0
"""Of a clip that is reported on; shorter ones say little."""

Progress = Callable[[int], float]
"""Of a step, what share of the training lies before it."""


class Trainer:
    """Folds, batches and networks that belong together.

    Args:
        corpus: everything to learn from.
        left_out: for each network the people that it shall not meet.
        face: the `tracked` face model.
        config: choices.
        device: of the training.
    """

    def __init__(
        self, corpus: Corpus, left_out: Sequence[Sequence[str]], face: FaceModel, config: Config, device: str = "cpu"
    ) -> None:
        torch.manual_seed(config.seed)
        self.corpus, self.config, self.device = corpus, config, device
        metric = LipMetric.of(face)
        self.size = Size(len(metric.gap), members=config.members, channels=config.channels, dilations=config.dilations)
        components, least = self.size.components, config.least_seconds
        self.folds = [Fold.of(corpus, out, metric, components, least) for out in left_out]
        # What is heard stays as it is: speech gate and lips are trained apart, and share it.
        self.encoder = ExpressionNet.universal().encoder
        self.batches = Batches(corpus, self.folds, copy.deepcopy(self.encoder).to(device), config, device)
        self.lips = Lips.of(self.folds, torch.from_numpy(lower_lip(face)), device)

    def train(self, progress: Progress | None = None, watch: Callable[[int, Ensemble], None] | None = None) -> Ensemble:
        """Train all folds side by side; gives the running mean of the weights.

        Args:
            progress: by default steps over all steps; training ends when it reaches one.
            watch: told about the running mean now and then.
        """
        config, device = self.config, self.device
        heads = heads_of(config)
        progress = progress or (lambda step: step / config.steps)
        ensemble = Ensemble(self.size, len(self.folds), config.dropout).to(device)
        mean = copy.deepcopy(ensemble).requires_grad_(False).eval()
        fused = device.startswith("cuda")
        optimizer = torch.optim.AdamW(ensemble.parameters(), weight_decay=config.weight_decay, fused=fused)
        step = 0
        while (done := progress(step)) < 1:
            for group in optimizer.param_groups:
                falling = 0.5 * (1 + math.cos(math.pi * (done - RISE) / (1 - RISE)))
                group["lr"] = config.learning_rate * (done / RISE if done < RISE else falling)
            batch = self.batches()
            trust = min(max((done - TRUST[0]) / (TRUST[1] - TRUST[0]), 0.0), 1.0) * config.same_mouth_weight
            with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=fused):
                said = ensemble(batch.features, heads)
                if trust:
                    with torch.no_grad():
                        meant = mean(batch.plain, ())["lips"][:, :, -1].mean(1)
            cost = total_loss(said, batch, self.lips, config)
            if trust:
                cost = cost + trust * same_mouth_loss(said["lips"], meant, batch, self.lips, config.gap_weight)
            optimizer.zero_grad()
            cost.backward()  # type: ignore[no-untyped-call]
            ensemble.limit_gradients()
            optimizer.step()
            step += 1
            keep = min(config.running_mean, step / (10 + step))
            with torch.no_grad():
                for old, new in zip(mean.parameters(), ensemble.parameters(), strict=True):
                    old.lerp_(new, 1 - keep)
            if step % 250 == 0:
                print(
                    f"step {step:6d}   {100 * done:3.0f} %   loss {float(cost.detach()) / len(ensemble.entry):.4f}",
                    flush=True,
                )
                if watch is not None:
                    watch(step, mean)
        return mean.cpu()

    def finished(self, index: int, ensemble: Ensemble, gate: dict[str, Tensor]) -> ExpressionNet:
        """The network of a fold as it is shipped: members, ridge, closures and gate in one."""
        config, basis = self.config, self.folds[index].basis
        net = ExpressionNet(self.size)
        net.encoder.load_state_dict(self.encoder.state_dict())
        net.decode.copy_(torch.from_numpy(basis.decode * basis.motion))
        net.gap.copy_(torch.from_numpy(basis.gap))
        net.part.copy_(torch.from_numpy(basis.part))
        net.gate.load_state_dict(gate)
        spoken = self.folds[index].spoken(self.corpus, self.encoder, config.least_seconds)
        ensemble.fold(index, net, fit_ridge(spoken, net.size, config.ridge), config.ridge_share)
        sharpen_closures(net, spoken, config.sharpness)
        means = [hear_features(net, clip.features).speech_mean() * clip.weight for clip in spoken]
        mean = np.sum(means, 0) / sum(clip.weight for clip in spoken)
        amplify(net, np.array(config.gain), mean, mean)
        return net.eval()

    def strangers(self, ensemble: Ensemble) -> dict[str, list[float]]:
        """Correlation of the mouth's opening, by clip of a person whom a fold never met, for each look-ahead."""
        table: dict[str, list[float]] = {}
        for sound, clip in faces(self.corpus):
            index = next((i for i, fold in enumerate(self.folds) if not fold.learns(sound.person)), None)
            if index is None or clip.valid.sum() / 100 < LEAST_SECONDS:
                continue
            features = torch.from_numpy(features_of(self.corpus, sound, self.encoder))[None].to(self.device)
            with torch.inference_mode():
                said = ensemble(features, ())["lips"][index].mean(0)[:, :, 0].cpu().numpy()
            fold = self.folds[index]
            said, true = np.einsum("drt,r->dt", said, fold.basis.gap), fold.target(clip) @ fold.basis.gap
            table[sound.name] = [
                _correlation(said[d][delay:], shifted(true, delay)[delay:], shifted(clip.valid, delay)[delay:])
                for d, delay in enumerate(DELAYS)
            ]
        return table


def fit_ridge(spoken: Sequence[Spoken], size: Size, penalty: float) -> Float[Tensor, "DR features taps"]:
    """Ridge regression from features of recordings to components, for each look-ahead."""
    taps = []
    for delay in DELAYS:
        sums = Regression()
        for clip in spoken:
            counts = shifted(clip.counts, delay)
            rows = windows(clip.features, delay, size.past)[counts]
            sums.add(rows, shifted(clip.target, delay)[counts], clip.weight)
        taps.append(as_taps(sums.solve(penalty), size))
    return torch.from_numpy(np.concatenate(taps))


def _correlation(said: np.ndarray, true: np.ndarray, valid: np.ndarray) -> float:
    return float(np.corrcoef(said[valid], true[valid])[0, 1])


def main() -> None:
    """Train; write expression.safetensors and report.json, and one folder more for each fold."""
    parser = argparse.ArgumentParser(description="Train the universal voice network.")
    parser.add_argument("--corpus", type=Path, required=True, help="what build_corpus.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for expression.safetensors and report.json")
    parser.add_argument(
        "--leave-out", nargs="+", action="append", default=[], metavar="PERSON", help="a fold without these; repeat"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=Config().steps)
    parser.add_argument("--trained", action="store_true", help="take the members and the gate that lie in --out")
    options = parser.parse_args()
    config, corpus = replace(Config(), steps=options.steps), Corpus.load(options.corpus)
    trainer = Trainer(corpus, [[], *options.leave_out], FaceModel.tracked(), config, options.device)
    options.out.mkdir(parents=True, exist_ok=True)
    members, gate = options.out / "members.safetensors", options.out / "gate.safetensors"
    if not options.trained:
        save_file(train_gate(trainer.batches, config, options.device).state_dict(), gate)
        save_file(trainer.train().state_dict(), members)
    ensemble = Ensemble(trainer.size, len(trainer.folds), config.dropout).eval()
    ensemble.load_state_dict(load_file(members))
    strangers = trainer.strangers(ensemble.to(options.device))
    for index, out in enumerate([[], *options.leave_out]):
        folder = options.out / "_".join(["without", *out]) if out else options.out
        folder.mkdir(exist_ok=True)
        trainer.finished(index, ensemble.cpu(), load_file(gate)).save(folder / "expression.safetensors")
        left_out = sorted(trainer.folds[index].left_out)
        whole = {"config": asdict(config), "left_out": left_out, "strangers": strangers}
        (folder / "report.json").write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
