"""Does somebody speak? A small causal network on the encoder's features that keeps the mouth shut when nobody does.

Letters: B batch, T hops, D look-aheads.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.audio_encoder import FEATURES, State
from models.row_convolution import convolve

CHANNELS = 48
KERNEL = 5
DILATIONS = (1, 4, 12, 24)
"""Of the convolutions; together they hear 1.6 s: longer than the pauses in speech. Each adds to the one before."""
ATTACK = 4
"""Hops over which the verdict is averaged: a click does not open."""
HOLD = 12
"""Hops for which the strongest verdict holds: the gate must not flicker, and opens faster than it shuts."""
DOUBT = 4.0
"""Log odds against speech in a past of which nothing was heard."""


class SpeechGate(nn.Module):
    """A factor for each look-ahead: 1 while somebody speaks, 0 while nobody does."""

    def __init__(self, look_aheads: int) -> None:
        super().__init__()
        widths = [FEATURES, *[CHANNELS] * (len(DILATIONS) - 1)]
        self.layers = nn.ModuleList(
            nn.Conv1d(width, CHANNELS, KERNEL, dilation=d) for width, d in zip(widths, DILATIONS, strict=True)
        )
        self.verdict = nn.Conv1d(CHANNELS, look_aheads, 1)
        assert self.verdict.bias is not None
        nn.init.constant_(self.verdict.bias, 2 * DOUBT)  # open until it has learned to doubt
        self.past = KERNEL - 1
        self.lengths = [self.past * d for d in DILATIONS[1:]]

    @property
    def entry(self) -> nn.Conv1d:
        """The first layer."""
        layer = self.layers[0]
        assert isinstance(layer, nn.Conv1d)
        return layer

    def initial_state(self, batch: int) -> State:
        """Memory of a stream that has heard nothing."""
        return {"features": torch.zeros(batch, FEATURES, self.past * DILATIONS[0])} | self.deep_state(batch)

    def deep_state(self, batch: int) -> State:
        """Memory of the layers after the first, and of the verdict."""
        memory = {f"gate{i}": torch.zeros(batch, CHANNELS, 1, length) for i, length in enumerate(self.lengths, 1)}
        return memory | {"verdict": torch.zeros(batch, self.verdict.out_channels, ATTACK + HOLD - 2)}

    def logits(self, x: Float[Tensor, "B features T"], state: State) -> tuple[Float[Tensor, "B D T"], State]:
        """Log odds that somebody speaks."""
        heard = torch.cat([state["features"], x], 2)
        logits, after = self.deep(nn.functional.silu(self.entry(heard)), state)
        return logits, after | {"features": heard[:, :, -self.past * DILATIONS[0] :]}

    def deep(self, x: Float[Tensor, "B channels T"], state: State) -> tuple[Float[Tensor, "B D T"], State]:
        """Log odds from what the first layer gives."""
        after: State = {}
        row = x[:, :, None]
        for i, (layer, length) in enumerate(zip(self.layers[1:], self.lengths, strict=True), 1):
            heard = torch.cat([state[f"gate{i}"], row], 3)
            after[f"gate{i}"] = heard[..., -length:]
            row = row + nn.functional.silu(convolve(heard, layer))
        verdicts = torch.cat([state["verdict"], convolve(row, self.verdict)[:, :, 0]], 2)
        held = nn.functional.max_pool1d(nn.functional.avg_pool1d(verdicts, ATTACK, 1), HOLD, 1)
        return held - DOUBT, after | {"verdict": verdicts[:, :, 2 - ATTACK - HOLD :]}

    def forward(self, x: Float[Tensor, "B features T"], state: State) -> tuple[Float[Tensor, "B D 1 T"], State]:
        logits, after = self.logits(x, state)
        return opened(logits)[:, :, None], after


def opened(logits: Float[Tensor, "B D T"]) -> Float[Tensor, "B D T"]:
    """How far the gate is open: fully from even odds on, shut below about 1 to 7.

    It must not waver within speech, since it scales the whole distance from the mouth at rest.
    """
    return (1 + logits / 2).clamp(0.0, 1.0)
