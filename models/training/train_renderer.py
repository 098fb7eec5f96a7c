"""Train the renderer on a prepared clip, for as long as there is time.

    trained = train(Path("work/clip"), Path("work"), Plan(minutes=5))

Time is the budget: learning rate and losses follow the share of it that is spent. A checkpoint is written every half
minute; the same call with the same work folder goes on from it. Needs NumPy and torch only.
With several GPUs: train_together.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from math import cos, pi
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from models.renderer import Kind, build
from models.training.adversary import Adversary, judging_loss, persuading_loss
from models.training.captured import Captured
from models.training.data import Batch, Clip
from models.training.losses import importance, pyramid_loss
from models.training.team import Team
from models.training.trained import Trained

CHECKPOINT = "renderer.checkpoint"
CHECKPOINT_S = 30.0
ADVERSARIAL_FROM = 0.15
"""Share of the time after which new discriminators join: shape and colour come first."""
AVERAGED = 0.998
"""The renderer kept is the running mean of the trained one, over about 500 steps: calmer and less noisy."""
STATES = ("renderer", "averaged", "adversary", "optimiser", "judging_optimiser")


@dataclass(frozen=True)
class Plan:
    """What to train and for how long."""

    minutes: float
    kind: Kind = "standard"
    batch: int | None = None
    """None: 16 on a GPU, 4 on a processor, where more steps on less are worth more."""
    everywhere: bool | None = None
    """Discriminate the whole lower face, which doubles the work of a step, or the mouth only. None: yes on a GPU."""
    rate: float = 4e-4
    held_out: float = 0.0
    """Share of the clip, at its end, that is not trained on."""
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """Where training stands."""

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
    initial: Trained | None = None,
    device: str | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train on the prepared folder `data` (prepare.py) and give the averaged renderer and its judges, on the CPU.

    `work` keeps the checkpoint, which stays there: a later call with the same plan returns at once. `initial`: what
    to go on from, of the same kind. `device`: "cuda" or "cpu"; None takes a GPU where there is one.
    """
    team = Team.joined(torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
    chosen = team.device
    work.mkdir(parents=True, exist_ok=True)
    clip = Clip(data, chosen, plan.held_out, whole=plan.kind == "unet256")
    training = _Training(plan, clip, team, initial)
    checkpoint = work / CHECKPOINT
    training.resume(checkpoint)
    started = saved = perf_counter() - training.spent
    limit = 60 * plan.minutes
    while (share := team.agreed(training.spent / limit)) < 1:
        training.step(share)
        now = perf_counter()
        training.spent = now - started
        if team.leads and now - saved > CHECKPOINT_S:
            training.save(checkpoint)
            saved = now
        if report and training.steps % 10 == 0:
            report(Progress(training.steps, training.spent / limit, float(training.loss), limit - training.spent))
    if team.leads:
        training.save(checkpoint)
    return training.result()


class _Training:
    """Everything that a step changes."""

    def __init__(self, plan: Plan, clip: Clip, team: Team, initial: Trained | None) -> None:
        torch.manual_seed(plan.seed)
        torch.set_flush_denormal(True)
        device = team.device
        self.plan, self.clip, self.team, self.device = plan, clip, team, device
        on_gpu = device.type == "cuda"
        self.batch = plan.batch or (16 if on_gpu else 4)
        everywhere = on_gpu if plan.everywhere is None else plan.everywhere
        self.mixed = on_gpu or torch.cpu._is_avx512_bf16_supported()  # else bf16 is emulated, slowly
        self.renderer = _placed(deepcopy(initial.renderer) if initial else build(plan.kind), device).train()
        self.averaged = deepcopy(self.renderer).eval().requires_grad_(False)
        self.adversary = _placed(Adversary(everywhere), device)
        if initial:
            for judge, before in zip(self.adversary.judges, initial.adversary.judges, strict=False):
                judge.load_state_dict(before.state_dict())
        self.joining = -1.0 if initial else ADVERSARIAL_FROM
        self.rate = torch.tensor(plan.rate, device=device)
        self.optimiser = self._adam(self.renderer, 0.8)
        self.judging_optimiser = self._adam(self.adversary, 0.5)
        self.random = torch.Generator().manual_seed(plan.seed + team.rank)
        self.steps, self.spent = 0, 0.0
        self.loss = torch.ones((), device=device)
        self.forgotten = torch.ones((), device=device)
        # A small renderer learns beside a standard one, whose picture shows it the whole hole at any expression.
        teaching = replace(plan, kind="standard")
        taught = initial.teacher if initial else None
        self.teacher = _Training(teaching, clip, team, taught) if plan.kind == "small" else None
        self._learn = Captured(self.learn) if on_gpu else self.learn
        torch.backends.cudnn.benchmark = True  # one shape only

    def _adam(self, module: nn.Module, momentum: float) -> torch.optim.Adam:
        captured = self.device.type == "cuda"
        return torch.optim.Adam(module.parameters(), self.rate, (momentum, 0.99), fused=True, capturable=captured)

    def step(self, share: float) -> None:
        """Draw a batch and learn from it; `share` of the time is spent."""
        batch = self.clip.batch(self.batch, self.random)
        if self.teacher:
            self.teacher.take(batch, share)
        self.take(batch, share)

    def take(self, batch: Batch, share: float) -> None:
        """Learn from a batch."""
        rate = self.plan.rate * _rate(share, self.steps)
        for optimiser in (self.optimiser, self.judging_optimiser):
            optimiser.param_groups[0]["lr"].fill_(rate)
        self.forgotten.fill_(max(1 - AVERAGED, 9 / (10 + self.steps)))
        self._learn(batch, share > self.joining)
        self.steps += 1

    def learn(self, batch: Batch, adversarial: bool) -> None:
        """One step on one batch."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed, cache_enabled=False):
            weight = importance(batch.known, batch.mouth)
            drawn = self.renderer.draw(batch.face, batch.photo, batch.mask).float()
            loss = pyramid_loss(drawn, batch.target, weight)
            total = loss
            if self.teacher:
                shown = self.teacher.averaged.draw(batch.face, batch.photo, batch.mask)
                hole = (batch.mask.permute(0, 3, 1, 2) > 0).float()
                total = total + pyramid_loss(drawn, shown.detach().float(), importance(hole, batch.mouth))
            if adversarial:
                total = total + self._persuade(batch, torch.lerp(batch.target, drawn, batch.known))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self.team.average(self.renderer)
        nn.utils.clip_grad_norm_(self.renderer.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for mean, new in zip(self.averaged.state_dict().values(), self.renderer.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(new, self.forgotten)
            self.loss.lerp_(loss.detach(), 0.02)

    def _persuade(self, batch: Batch, drawn: Tensor) -> Tensor:
        """Train the discriminators on this batch, and give what the renderer owes them."""
        face = batch.face.permute(0, 3, 1, 2) / 255
        real = self.adversary.views(batch.target, face, batch.mouth)
        fake = self.adversary.views(drawn, face, batch.mouth)
        on_real = self.adversary(real)
        judging = judging_loss(on_real, self.adversary([view.detach() for view in fake]))
        self.judging_optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(judging)
        self.team.average(self.adversary)
        self.judging_optimiser.step()
        self.adversary.requires_grad_(False)
        owed = persuading_loss(on_real, self.adversary(fake))
        self.adversary.requires_grad_(True)
        return owed

    def result(self) -> Trained:
        """What was learned, on the CPU."""
        renderer, adversary = self.averaged.cpu().eval(), self.adversary.cpu()
        return Trained(renderer, adversary, self.teacher.result() if self.teacher else None)

    def save(self, path: Path) -> None:
        """Write a checkpoint; the old one stays until the new one is complete."""
        temporary = path.with_name(f".{path.name}.part")
        torch.save(self.state(), temporary)
        os.replace(temporary, path)

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on."""
        states: dict[str, Any] = {name: getattr(self, name).state_dict() for name in STATES}
        counts = {"steps": self.steps, "spent": self.spent, "loss": self.loss, "random": self.random.get_state()}
        teacher = {"teacher": self.teacher.state()} if self.teacher else {}
        return states | counts | {"plan": asdict(self.plan)} | teacher

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same plan; any other is left aside."""
        if not path.is_file():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["plan"] == asdict(self.plan):
            self.take_up(state)

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        for name in STATES:
            getattr(self, name).load_state_dict(state[name])
        if self.teacher:
            self.teacher.take_up(state["teacher"])
        self.steps, self.spent = state["steps"], state["spent"]
        if self.team.leads:
            self.random.set_state(state["random"].cpu())
        else:  # batches that nobody had yet
            self.random.manual_seed(self.plan.seed + self.team.rank + self.steps * self.team.size)
        self.loss.copy_(state["loss"])


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
