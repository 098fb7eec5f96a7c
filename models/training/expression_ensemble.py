"""The voice network as it is trained: several members side by side for each fold, with the heads of all domains.

Letters: B batch, T hops, F folds, M members of each, G = F·M, D look-aheads, R lip components.

Members share nothing but their inputs. Each layer holds all of them in one tensor, so that one product of matrices
does for all: far faster on a GPU than as many small networks or one grouped convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.audio_encoder import FEATURES
from models.expression_net import DIAL, ExpressionNet, Size
from models.training.visemes import GROUPS
from models.training.voice_corpus import DOMAINS

Said = dict[str, Float[Tensor, "F M D width B T"]]
"""By domain; `lips` are components, `visemes` logits."""

WIDTHS = {"visemes": len(GROUPS)} | {name: width for name, width in DOMAINS.items() if name != "face"}
"""Of the heads that only teach."""


class Ensemble(nn.Module):
    """All members of all folds."""

    def __init__(self, size: Size, folds: int, dropout: float) -> None:
        super().__init__()
        self.size, self.folds = size, folds
        groups, channels, kernel = folds * size.members, size.channels, size.kernel
        self.entry = _weights(groups, channels, FEATURES * kernel)
        self.blocks = nn.ParameterList(_weights(groups, channels, channels * kernel) for _ in size.dilations)
        self.lips = nn.Parameter(0.3 * _weights(groups, len(DIAL) * size.components, channels).detach())
        self.linear = nn.Parameter(torch.zeros(folds, len(DIAL) * size.components, FEATURES * (size.reach // 2)))
        self.heads = nn.ParameterDict({n: _weights(groups, len(DIAL) * w, channels) for n, w in WIDTHS.items()})
        self.biases = nn.ParameterDict(
            {n: nn.Parameter(torch.zeros(groups, len(DIAL) * w, 1)) for n, w in WIDTHS.items()}
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Float[Tensor, "B features T"], heads: Sequence[str] = tuple(WIDTHS)) -> Said:
        """Everything that is said at features that follow silence; of the heads that only teach, those named."""
        size, (batch, _, hops) = self.size, features.shape
        sound = features.transpose(0, 1)[None]
        kernel = size.kernel
        x = nn.functional.silu(_product(self.entry, _unfolded(sound, kernel, 1)))
        shape = (len(x), size.channels, batch, hops)
        x = x.view(shape)
        for weight, dilation in zip(self.blocks, size.dilations, strict=True):
            new = nn.functional.silu(_product(weight, _unfolded(x, kernel, dilation))).view(shape)
            x = x + new * self.dropout(torch.ones_like(new[..., :1]))  # whole channels
        trunk = x.flatten(2)

        def by_look_ahead(out: Float[Tensor, "G outputs BT"]) -> Float[Tensor, "F M D width B T"]:
            return out.float().view(self.folds, -1, len(DIAL), out.shape[1] // len(DIAL), batch, hops)

        past = nn.functional.pad(sound, (size.reach - 1, 0))
        pairs = _taps((past[..., 1:] + past[..., :-1]) / 2, size.reach // 2, 2, hops)
        said = {"lips": by_look_ahead(_product(self.lips, trunk)) + by_look_ahead(_product(self.linear, pairs))}
        return said | {n: by_look_ahead(_product(self.heads[n], trunk) + self.biases[n]) for n in heads}

    def limit_gradients(self) -> None:
        """Scale each fold's gradients down to norm 1 per member; folds do not hear of one another."""
        grads = [p.grad.view(self.folds, -1) for p in self.parameters() if p.grad is not None]
        norm = torch.stack([grad.square().sum(1) for grad in grads]).sum(0).sqrt()
        scale = (math.sqrt(self.size.members) / (norm + 1e-6)).clamp_max(1)
        for grad in grads:
            grad *= scale[:, None]

    def fold(
        self, index: int, net: ExpressionNet, ridge: Float[Tensor, "DR features taps"], ridge_share: float
    ) -> None:
        """Put the average of a fold's members and the ridge into the network that is shipped."""
        members, own = self.size.members, 1 - ridge_share
        mine = slice(index * members, (index + 1) * members)
        with torch.no_grad():
            for layer, weight in zip([net.trunk.entry, *net.trunk.blocks], [self.entry, *self.blocks], strict=True):
                layer.weight.copy_(weight[mine].reshape(layer.weight.shape))
            net.head.weight.copy_(torch.cat(list(self.lips[mine]), 1)[..., None] * (own / members))
            net.linear.taps.weight.copy_(self.linear[index].view_as(ridge) * own + ridge * ridge_share)


def _weights(groups: int, outputs: int, inputs: int) -> nn.Parameter:
    return nn.Parameter((2 * torch.rand(groups, outputs, inputs) - 1) / math.sqrt(inputs))


def _product(
    weight: Float[Tensor, "G outputs inputs"], x: Float[Tensor, "G1 inputs BT"]
) -> Float[Tensor, "G outputs BT"]:
    """One product of matrices for all groups; an input that all share is not copied."""
    if len(x) == 1:
        return (weight.flatten(0, 1) @ x[0]).view(*weight.shape[:2], -1)
    return torch.bmm(weight, x)


def _unfolded(x: Float[Tensor, "G channels B T"], kernel: int, dilation: int) -> Float[Tensor, "G inputs BT"]:
    """What a causal convolution hears at each hop."""
    return _taps(nn.functional.pad(x, ((kernel - 1) * dilation, 0)), kernel, dilation, x.shape[3])


def _taps(x: Float[Tensor, "G channels B past"], taps: int, dilation: int, hops: int) -> Float[Tensor, "G inputs BT"]:
    pieces = [x[..., i * dilation : i * dilation + hops] for i in range(taps)]
    return torch.stack(pieces, 2).flatten(1, 2).flatten(2)
