"""What the voice network is asked for.

Letters: B batch, T hops, J hop boundaries (see expression_batches.at), F folds, M members, D look-aheads,
R lip components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.training.expression_batches import AHEAD, Batch, at
from models.training.expression_config import Config
from models.training.expression_ensemble import WIDTHS, Said
from models.training.folds import Fold
from models.training.linear_path import DELAYS
from models.training.visemes import UNKNOWN, viseme_of

CHANGE = 4
"""Hops over which movement is compared."""
HEARD = 8
"""Hops heard ahead from which on movement counts fully: who has heard nothing yet would keep to an old error, since
correcting it is movement too."""


@dataclass(frozen=True, slots=True)
class Lips:
    """What lip components mean, for all folds."""

    gap: Float[Tensor, "F R"]
    """Opening of the inner lips, as a unit vector."""
    lower: Float[Tensor, "F R"]
    """Height of the lower lip, likewise."""

    @classmethod
    def of(cls, folds: Sequence[Fold], lower: Float[Tensor, " K"], device: str) -> Lips:
        """From folds and the height of the lower lip per unit of each coefficient."""

        def units(rows: list[Tensor]) -> Float[Tensor, "F R"]:
            return nn.functional.normalize(torch.stack(rows).float(), dim=1).to(device)

        heights = [torch.from_numpy(fold.basis.decode) @ lower.double() for fold in folds]
        return cls(units([torch.from_numpy(fold.basis.gap) for fold in folds]), units(heights))


def total_loss(said: Said, batch: Batch, lips: Lips, config: Config) -> Float[Tensor, ""]:
    """Sum of all that a changed sound can be judged by."""
    parts = [
        lip_loss(said["lips"], batch, lips, config),
        config.viseme_weight * viseme_loss(said["visemes"], batch) if config.viseme_weight else None,
        config.contact_weight * contact_loss(said["lips"], batch, lips) if config.contact_weight else None,
    ]
    weights = {
        "facegood": config.facegood_weight,
        "styletalk": config.styletalk_weight,
        "curves": config.curves_weight,
    }
    parts += [weight * domain_loss(said[name], batch, name) for name, weight in weights.items() if weight]
    return torch.stack([part for part in parts if part is not None]).sum()


def heads_of(config: Config) -> list[str]:
    """The heads that are asked for anything."""
    weights = (config.viseme_weight, config.facegood_weight, config.styletalk_weight, config.curves_weight)
    return [name for name, weight in zip(WIDTHS, weights, strict=True) if weight]


def lip_loss(said: Float[Tensor, "F M D R B T"], batch: Batch, lips: Lips, config: Config) -> Float[Tensor, ""]:
    """Squared error of the lips, of their opening, and of both's movement; the sum over folds and members."""
    targets = batch.targets["lips"]
    target = said_at(targets.view(*targets.shape[:2], said.shape[0], said.shape[3]))
    error = said - target.permute(3, 0, 4, 1, 2)[:, None]
    weight = _weight(batch, batch.known["lips"])
    move, moving = error[..., CHANGE:] - error[..., :-CHANGE], weight[..., CHANGE:] * weight[..., :-CHANGE]
    move = move * error.new_tensor([min(delay / HEARD, 1.0) ** 0.5 for delay in DELAYS])[:, None, None, None]
    still = _mean_square(error, weight, lips.gap, config.gap_weight)
    return still + config.velocity_weight * _mean_square(move, moving, lips.gap, config.gap_weight)


def same_mouth_loss(
    said: Float[Tensor, "F M D R B T"], meant: Float[Tensor, "F R B T"], batch: Batch, lips: Lips, gap_weight: float
) -> Float[Tensor, ""]:
    """Squared difference from what was meant, i.e. said to the sound as it was with the longest look-ahead.

    Only where no face is known, and where somebody speaks.
    """
    hops = said.shape[5]
    later = nn.functional.pad(meant, (0, AHEAD))
    goal = torch.stack([later[..., AHEAD - delay : AHEAD - delay + hops] for delay in DELAYS], 1)
    weight = _weight(batch, ~batch.known["lips"] & (batch.speaks != 0))
    for d, delay in enumerate(DELAYS):
        weight[:, d, :, hops - (AHEAD - delay) :] = 0  # what comes after the piece nobody has said
    return _mean_square(said - goal[:, None], weight, lips.gap, gap_weight)


def domain_loss(said: Float[Tensor, "F M D width B T"], batch: Batch, name: str) -> Float[Tensor, ""]:
    """Squared error in a domain of its own."""
    error = said - said_at(batch.targets[name]).permute(0, 3, 1, 2)
    weight = _weight(batch, batch.known[name])
    return _mean(error.square().sum(3), weight, 500)


def viseme_loss(said: Float[Tensor, "F M D visemes B T"], batch: Batch) -> Float[Tensor, ""]:
    """Cross entropy where there are labels."""
    labels = said_at(batch.visemes)
    index = labels.clamp_min(0)[None, None, :, None].expand(*said.shape[:3], 1, -1, -1)
    missed = -said.log_softmax(3).gather(3, index)[:, :, :, 0]
    return _mean(missed, _weight(batch, batch.visemes != UNKNOWN), 1)


def contact_loss(said: Float[Tensor, "F M D R B T"], batch: Batch, lips: Lips) -> Float[Tensor, ""]:
    """How far lips are open at a P, B or M, and how far the lower lip is below its place at rest at an F or V, squared.

    Only where something was heard ahead: without, nobody can know that lips are about to meet.
    """
    labels = batch.visemes
    inside = (labels == labels.roll(1, 1)) & (labels == labels.roll(-1, 1))
    cost = said.new_zeros(())
    for group, direction in (("P", lips.gap), ("F", -lips.lower)):
        away = torch.einsum("fmdrbt,fr->fmdbt", said, direction).relu()
        weight = _weight(batch, inside & (labels == viseme_of(group)))
        weight[:, DELAYS.index(0)] = 0
        cost = cost + _mean(away.square(), weight, 200)
    return cost


def said_at(values: Tensor) -> Tensor:
    """Values [B, J, ...] at what each hop shows, by look-ahead: [D, B, T, ...]."""
    return torch.stack([at(values, delay) for delay in DELAYS])


def _weight(batch: Batch, known: Bool[Tensor, "B J"]) -> Float[Tensor, "F D B T"]:
    return said_at(known) * batch.warm * batch.learns[:, None, :, None]


def _mean(each: Float[Tensor, "F M D B T"], weight: Float[Tensor, "F D B T"], least: int) -> Float[Tensor, ""]:
    """Weighed mean over pieces and look-aheads, summed over folds and members."""
    return ((each * weight[:, None]).sum((1, 2, 3, 4)) / weight.sum((1, 2, 3)).clamp_min(least)).sum()


def _mean_square(
    error: Float[Tensor, "F M D R B T"], weight: Float[Tensor, "F D B T"], gap: Float[Tensor, "F R"], gap_weight: float
) -> Float[Tensor, ""]:
    opening = torch.einsum("fmdrbt,fr->fmdbt", error, gap)
    return _mean(error.square().sum(3) + gap_weight * opening.square(), weight, 1)
