"""The voice network as it is trained: several members side by side, and what they are asked for.

Letters: B batch, T hops, M members, D look-aheads, R lip components.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.expression_net import DIAL, ExpressionNet, LinearPath, Size, Trunk
from models.training.visemes import GROUPS, UNKNOWN


class Ensemble(nn.Module):
    """The network as it is trained: every member with its own head, beside one linear path."""

    def __init__(self, size: Size, dropout: float) -> None:
        super().__init__()
        self.size = size
        outputs = size.members * len(DIAL) * size.components
        self.trunk = Trunk(size, dropout)
        self.head = nn.Conv1d(size.members * size.channels, outputs, 1, groups=size.members, bias=False)
        self.visemes = nn.Conv1d(
            size.members * size.channels, size.members * len(DIAL) * len(GROUPS), 1, groups=size.members
        )
        self.linear = LinearPath(size)
        with torch.no_grad():
            self.linear.taps.weight.zero_()
            self.head.weight *= 0.3

    def forward(
        self, features: Float[Tensor, "B features T"]
    ) -> tuple[Float[Tensor, "B M D R T"], Float[Tensor, "B M D visemes T"]]:
        """Components from features that follow silence, and logits of visemes."""
        trunk, _ = self.trunk(features, self.trunk.initial_state(len(features)))
        linear, _ = self.linear(features, self.linear.initial_state(len(features)))
        out = self.head(trunk).unflatten(1, (self.size.members, -1)) + linear[:, None]
        visemes = self.visemes(trunk).unflatten(1, (self.size.members, len(DIAL), len(GROUPS)))
        return out.unflatten(2, (len(DIAL), self.size.components)), visemes

    def fold(self, net: ExpressionNet, ridge: Float[Tensor, "DR features taps"], ridge_share: float) -> None:
        """Put the average of the members and the ridge into the network that is shipped."""
        members, own = self.size.members, 1 - ridge_share
        net.trunk.load_state_dict(self.trunk.state_dict())
        head = self.head.weight.detach().chunk(members)
        with torch.no_grad():
            net.head.weight.copy_(torch.cat(head, 1) * (own / members))
            net.linear.taps.weight.copy_(self.linear.taps.weight * own + ridge * ridge_share)


def lip_loss(
    out: Float[Tensor, "B M D R T"],
    target: Float[Tensor, "B D R T"],
    counts: Float[Tensor, "B D T"],
    gap: Float[Tensor, " R"],
    gap_weight: float,
    velocity_weight: float,
) -> Float[Tensor, ""]:
    """Squared error of the lips, of their opening along the unit vector `gap`, and of both's change over 40 ms."""

    def squared(error: Float[Tensor, "B M D R T"], weight: Float[Tensor, "B D T"]) -> Float[Tensor, ""]:
        opening = torch.einsum("bmdrt,r->bmdt", error, gap)
        both = error.square().sum(3) + gap_weight * opening.square()
        return (both * weight[:, None]).sum() / weight.sum() / out.shape[1]

    error = out - target[:, None]
    change = error[..., 4:] - error[..., :-4]
    return squared(error, counts) + velocity_weight * squared(change, counts[..., 4:] * counts[..., :-4])


def viseme_loss(logits: Float[Tensor, "B M D visemes T"], visemes: Int[Tensor, "B D T"]) -> Float[Tensor, ""]:
    """Cross entropy where there are labels; zero where there are none at all."""
    each = [
        nn.functional.cross_entropy(member.flatten(0, 1), visemes.flatten(0, 1), ignore_index=UNKNOWN, reduction="sum")
        for member in logits.unbind(1)
    ]
    return torch.stack(each).mean() / (visemes != UNKNOWN).sum().clamp_min(1)
