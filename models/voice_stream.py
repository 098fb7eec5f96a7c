"""From pieces of sound of any size to the expression at any moment: the voice network with its state as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from models.network import Network

Samples = Float32[NDArray[np.float32], " samples"]

SAMPLE_RATE = 16_000
HOP = 160
"""Samples from one expression to the next: 10 ms."""
DIAL = (0, 40, 80, 160, 240)
"""Look-aheads that the network offers, in ms."""
KEPT = 32
"""Newest expressions that stay at hand, in hops; more than the longest video frame."""


@dataclass(frozen=True, slots=True)
class VoiceState:
    """Everything that a stream remembers."""

    network: Mapping[str, NDArray[Any]]
    pending: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    """Samples that do not fill a hop yet: 0 to 159."""
    hops: int = 0
    """Hops consumed since the start."""
    rows: Float32[NDArray[np.float32], "hops K"] | None = None
    """Expressions of the newest hops, at most KEPT."""


class VoiceStream:
    """Runs the voice network over a stream.

    The row that comes out with hop h (samples 160·h to 160·(h+1)) describes the face at sample 160·(h+1) - look_ahead.
    """

    def __init__(self, network: Network, look_ahead_ms: int) -> None:
        if look_ahead_ms not in DIAL:
            raise ValueError(f"look_ahead_ms is {look_ahead_ms}, expected one of {DIAL}.")
        self._network = network
        self._dial = np.array(DIAL.index(look_ahead_ms), np.int64)
        self.look_ahead = look_ahead_ms * SAMPLE_RATE // 1000
        """Samples after a moment that its expression needs."""

    def initial_state(self) -> VoiceState:
        """A stream that has heard nothing."""
        return VoiceState(self._network.initial_state())

    def push(self, samples: Samples, state: VoiceState) -> VoiceState:
        """Hear more; any number of samples, cut anywhere."""
        heard = np.concatenate([state.pending, samples])
        whole = len(heard) // HOP
        if whole == 0:
            return VoiceState(state.network, heard, state.hops, state.rows)
        out = self._network({"samples": heard[None, : whole * HOP], "look_ahead": self._dial, **state.network})
        rows = out.pop("expression")
        if state.rows is not None:
            rows = np.concatenate([state.rows, rows])
        network = {name.removeprefix("next_"): tensor for name, tensor in out.items()}
        return VoiceState(network, heard[whole * HOP :], state.hops + whole, rows[-KEPT:])

    def expression_at(self, sample: int, state: VoiceState) -> Float32[NDArray[np.float32], " K"]:
        """Expression at a moment, linear between hops; before the first and after the newest hop the nearest one's.

        Raises:
            ValueError: nothing was heard yet.
        """
        if state.rows is None:
            raise ValueError(f"The stream has heard {len(state.pending)} samples; push at least {HOP} first.")
        oldest = state.hops - len(state.rows)
        position = (sample + self.look_ahead) / HOP - 1 - oldest
        before = int(np.clip(np.floor(position), 0, len(state.rows) - 1))
        after = min(before + 1, len(state.rows) - 1)
        weight = np.float32(np.clip(position - before, 0, 1))
        return state.rows[before] * (1 - weight) + state.rows[after] * weight
