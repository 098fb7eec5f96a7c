"""Train the renderer on a prepared clip, for as long as there is time.

    renderer = train(Path("work/clip"), Path("work"), Plan(minutes=5))

Time is the budget: learning rate and losses follow the share of it that is spent. A checkpoint is written every half
minute; the same call with the same work folder goes on from it. Needs NumPy and torch only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.renderer import Kind, Renderer, build, pack
from models.training.data import Batch, Clip
from models.training.losses import (
    PatchDiscriminator,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    importance,
    pyramid_loss,
)

CHECKPOINT = "renderer.checkpoint"
CHECKPOINT_S = 30.0
ADVERSARIAL_FROM = 0.15
"""Share of the time after which the discriminators join: shape and colour come first."""
FEATURES, ADVERSARIAL = 0.6, 0.04
"""Weights of their losses beside the pyramid loss."""
MOUTH = (64, 96)
"""Height and width in px of the cut-out that the second discriminator looks at."""
AVERAGED = 0.998
"""The renderer kept is the running mean of the trained one, over about 500 steps: calmer and less noisy."""


@dataclass(frozen=True)
class Plan:
    """What to train and for how long."""

    minutes: float
    kind: Kind = "standard"
    batch: int = 16
    rate: float = 4e-4
    held_out: float = 0.0
    """Share of the clip, at its end, that is not trained on."""
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """Where training stands, a few times a second at most."""

    step: int
    share: float
    """Of the time, 0..1."""
    loss: float
    """Of the pyramid, running mean."""
    seconds_left: float


def train(
    data: Path,
    work: Path,
    plan: Plan,
    initial: Path | None = None,
    device: str | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Renderer:
    """Train on the prepared folder `data` (prepare.py) and give the averaged renderer, on the CPU.

    `work` keeps the checkpoint, which stays there: a later call with the same plan returns at once. `initial`: weights
    of the same kind to start from. `device`: "cuda" or "cpu"; None takes a GPU where there is one.
    """
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    work.mkdir(parents=True, exist_ok=True)
    training = _Training(plan, Clip(data, chosen, plan.held_out, whole=plan.kind == "unet256"), chosen, initial)
    checkpoint = work / CHECKPOINT
    training.resume(checkpoint)
    started = saved = perf_counter() - training.spent
    limit = 60 * plan.minutes
    while training.spent < limit:
        training.step(training.spent / limit)
        training.spent = perf_counter() - started
        if perf_counter() - saved > CHECKPOINT_S:
            training.save(checkpoint)
            saved = perf_counter()
        if report and training.steps % 10 == 0:
            report(Progress(training.steps, training.spent / limit, float(training.loss), limit - training.spent))
    training.save(checkpoint)
    return training.averaged.cpu().eval()


class _Training:
    """Everything that a step changes."""

    def __init__(self, plan: Plan, clip: Clip, device: torch.device, initial: Path | None) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.clip, self.device = plan, clip, device
        self.mixed = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()  # else bf16 is emulated, slowly
        renderer = Renderer.load(initial) if initial else build(plan.kind)
        self.renderer = _placed(renderer, device).train()
        self.averaged = deepcopy(self.renderer).eval().requires_grad_(False)
        judges = [PatchDiscriminator(9), PatchDiscriminator(9)]
        self.judges = _placed(nn.ModuleList(judges), device)
        fused = device.type == "cuda"
        self.optimiser = torch.optim.Adam(self.renderer.parameters(), plan.rate, (0.8, 0.99), fused=fused)
        self.judge_optimiser = torch.optim.Adam(self.judges.parameters(), plan.rate, (0.5, 0.99), fused=fused)
        self.random = torch.Generator().manual_seed(plan.seed)
        self.steps, self.spent = 0, 0.0
        self.loss = torch.zeros((), device=device)

    def step(self, share: float) -> None:
        """Learn from one batch; `share` of the time is spent."""
        for optimiser in (self.optimiser, self.judge_optimiser):
            optimiser.param_groups[0]["lr"] = self.plan.rate * _rate(share, self.steps)
        batch = self.clip.batch(self.plan.batch, self.random)
        with self._precision():
            drawn = self.renderer.trunk(pack(batch.face, batch.photo, batch.mask)).float()
            mask = batch.mask.permute(0, 3, 1, 2) / 255
            loss = pyramid_loss(drawn, batch.target, importance(mask, batch.mouth))
            total = loss
            if share > ADVERSARIAL_FROM:
                total = total + self._persuade(batch, torch.lerp(batch.target, drawn, mask))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(self.renderer.parameters(), 1.0)
        self.optimiser.step()
        self.steps += 1
        keep = min(AVERAGED, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for mean, new in zip(self.averaged.state_dict().values(), self.renderer.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(new, 1 - keep)
            self.loss = torch.lerp(loss.detach(), self.loss, 0.98 if self.steps > 1 else 0.0)

    def _persuade(self, batch: Batch, drawn: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
        """Train the discriminators on this batch, and give what they make the renderer pay."""
        face = batch.face.permute(0, 3, 1, 2) / 255
        real, drawn = torch.cat([batch.target, face], dim=1), torch.cat([drawn, face], dim=1)
        corner = _mouth_corner(batch)
        views = [(real, drawn), (_windows(real, corner), _windows(drawn, corner))]
        on_real = [judge(view) for judge, (view, _) in zip(self.judges, views, strict=True)]
        on_copy = [judge(view.detach()) for judge, (_, view) in zip(self.judges, views, strict=True)]
        self.judge_optimiser.zero_grad(set_to_none=True)
        judging = [discriminator_loss(a, b) for a, b in zip(on_real, on_copy, strict=True)]
        torch.autograd.backward(torch.stack(judging).sum())
        self.judge_optimiser.step()
        self.judges.requires_grad_(False)
        on_drawn = [judge(view) for judge, (_, view) in zip(self.judges, views, strict=True)]
        self.judges.requires_grad_(True)
        prices = [
            FEATURES * feature_loss(a, b) + ADVERSARIAL * adversarial_loss(b)
            for a, b in zip(on_real, on_drawn, strict=True)
        ]
        return torch.stack(prices).sum()

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    def save(self, path: Path) -> None:
        """Write a checkpoint; the old one stays until the new one is complete."""
        temporary = path.with_name(f".{path.name}.part")
        torch.save({"plan": asdict(self.plan), "random": self.random.get_state(), **self._parts()}, temporary)
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same plan; any other is left aside."""
        if not path.is_file():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["plan"] != asdict(self.plan):
            return
        self.random.set_state(state["random"].cpu())
        for name in ("renderer", "averaged", "judges", "optimiser", "judge_optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.steps, self.spent, self.loss = state["steps"], state["spent"], state["loss"]

    def _parts(self) -> dict[str, Any]:
        names = ("renderer", "averaged", "judges", "optimiser", "judge_optimiser")
        states = {name: getattr(self, name).state_dict() for name in names}
        return states | {"steps": self.steps, "spent": self.spent, "loss": self.loss}


M = TypeVar("M", bound=nn.Module)


def _placed(module: M, device: torch.device) -> M:
    """On the device, with channels last, which both kinds of processor prefer."""
    module.to(device)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def _rate(share: float, step: int) -> float:
    """Learning rate over time: a short warm-up, full until a third, then a cosine down to a fiftieth."""
    late = min(max((share - 1 / 3) / (2 / 3), 0.0), 1.0)
    return min(1.0, (step + 1) / 100) * (0.02 + 0.98 * (1 + cos(pi * late)) / 2)


def _mouth_corner(batch: Batch) -> Tensor:
    """Top left corners [B, 2] (x, y) of windows of size MOUTH that are centred on the lips and inside the picture."""
    height, width = batch.target.shape[2:]
    middle = (batch.mouth[:, :2] + batch.mouth[:, 2:]) / 2
    size = middle.new_tensor([MOUTH[1], MOUTH[0]])
    limit = middle.new_tensor([width, height]) - size
    return torch.minimum((middle - size / 2).clamp(min=0), limit).long()


def _windows(x: Float[Tensor, "B C H W"], corner: Tensor) -> Float[Tensor, "B C h w"]:
    """Cut a window of size MOUTH out of each picture."""
    sample = torch.arange(len(x), device=x.device)[:, None, None]
    rows = corner[:, 1, None, None] + torch.arange(MOUTH[0], device=x.device)[:, None]
    columns = corner[:, 0, None, None] + torch.arange(MOUTH[1], device=x.device)
    return x.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)
