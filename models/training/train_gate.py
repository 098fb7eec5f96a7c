"""Teach the speech gate: recordings of people against noise, knocks and silence."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.audio_encoder import AudioEncoder
from models.speech_gate import SpeechGate
from models.training.expression_pieces import Sampler, augment


def gate_loss(logits: Float[Tensor, "B D T"], speaks: Float[Tensor, "B D T"]) -> Float[Tensor, ""]:
    """Cross entropy where it is known whether somebody speaks (0 or 1; NaN where not)."""
    known = ~speaks.isnan()
    return nn.functional.binary_cross_entropy_with_logits(logits[known], speaks[known])


def train_gate(gate: SpeechGate, encoder: AudioEncoder, sampler: Sampler, steps: int, batch: int) -> float:
    """Train in place; returns the loss of the last hundred steps."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(gate.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    running = 0.0
    for step in range(1, steps + 1):
        pieces = sampler(batch)
        features = encoder.features(augment(pieces.decibels, generator))
        logits, _ = gate.logits(features, gate.initial_state(batch))
        cost = gate_loss(logits, pieces.speaks)
        optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        running += (float(cost.detach()) - running) / min(step, 100)
    return running
