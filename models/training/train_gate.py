"""Teach the speech gate: voices against noise, music, knocks, people in the background and silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from models.audio_encoder import SAMPLE_RATE, AudioEncoder
from models.expression_net import DIAL
from models.speech_gate import SpeechGate
from models.training.expression_batches import Batches, at
from models.training.expression_config import Config
from models.training.gate_sounds import anything
from models.training.held_voices import held_voice
from models.training.linear_path import DELAYS
from models.training.voice_corpus import Powers, stored_powers

FIRST = 30
"""Hops after the first sound in which a gate that stays shut costs more: a first syllable must not be lost."""
FIRST_WEIGHT = 5.0
NOBODY_WEIGHT = (5.0, 7.0, 10.0, 10.0, 10.0)
"""Of hops in which nobody speaks, for each look-ahead: who hears less ahead must be the bolder."""
PIECE_SECONDS = 6


def gate_loss(logits: Float[Tensor, "B D T"], speaks: Float[Tensor, "B J"]) -> Float[Tensor, ""]:
    """Cross entropy where it is known whether somebody speaks (0 or 1; NaN where not)."""
    begins = nn.functional.pad((speaks[:, 1:] == 1) & (speaks[:, :-1] != 1), (1, 0)).float()
    near = nn.functional.max_pool1d(nn.functional.pad(begins[:, None], (FIRST - 1, 0)), FIRST, 1)[:, 0]
    weights = 1 + (FIRST_WEIGHT - 1) * near * (speaks == 1)
    wanted = torch.stack([at(speaks, delay) for delay in DELAYS], 1)
    weight = torch.stack([at(weights, delay) for delay in DELAYS], 1)
    doubt = torch.tensor(NOBODY_WEIGHT, device=wanted.device)[:, None]
    weight = torch.where(wanted == 0, doubt, weight)
    known = ~wanted.isnan()
    cost = nn.functional.binary_cross_entropy_with_logits(logits, wanted.nan_to_num(), reduction="none")
    return (cost * weight * known).sum() / known.sum()


def sounds(make: Callable[[int, np.random.Generator], NDArray[np.float64]], count: int, seed: int) -> list[Powers]:
    """Sounds made by chance."""
    encoder, found = AudioEncoder(), []
    for i in range(count):
        sound = make(PIECE_SECONDS * SAMPLE_RATE, np.random.default_rng((seed, i)))
        found.append(stored_powers((sound / np.abs(sound).max()).astype(np.float32), encoder))
    return found


def train_gate(batches: Batches, config: Config, device: str) -> SpeechGate:
    """Train on everybody whom all folds may learn from, with more pieces in which nobody speaks."""
    torch.manual_seed(config.seed)
    gate = SpeechGate(len(DIAL)).to(device)
    memory = {name: part.to(device) for name, part in gate.initial_state(config.gate_batch).items()}
    pieces = batches.for_gate(
        sounds(anything, config.gate_noises, config.seed), sounds(held_voice, config.gate_held, config.seed)
    )
    optimizer = torch.optim.AdamW(gate.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, config.gate_steps)
    for step in range(1, config.gate_steps + 1):
        batch = pieces()
        cost = gate_loss(gate.logits(batch.features, memory)[0], batch.speaks)
        optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 500 == 0:
            print(f"speech gate, step {step}: cross entropy {float(cost.detach()):.4f}", flush=True)
    return gate.cpu()
