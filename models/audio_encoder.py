"""From sound to log-mel features whose scale is the speaker's own loudness; causal, hop by hop.

Letters: B batch, T hops of 10 ms. A hop's window (25 ms) ends with the hop, so nothing is heard ahead of time.

A band counts in decibels over a floor that lies FLOOR below what it has in speech of the present loudness. So features
do not change with the gain of the microphone, and silence is exactly zero. A further feature, presence, says how much
is heard at all: 0 in silence, 1 in speech. It stands in for the biases that the networks behind do without.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from torch import Tensor, nn

SAMPLE_RATE = 16_000
HOP = 160
"""Samples per hop: 10 ms."""
WINDOW = 400
"""Samples per window: 25 ms."""
BANDS = 32
LOWEST, HIGHEST = 100.0, 7600.0
"""Hz; starts above mains hum and DC, ends under the half rate."""
QUIETEST = -60.0
"""dBFS: loudness below which speech is no longer amplified; also what a new stream starts from."""
FLOOR = 36.0
"""dB from a band's mean in speech down to where features begin."""
DECIBELS = 10.0
"""dB per unit of the features."""
FEATURES = BANDS + 1
PRESENCE = 3.0
"""The presence feature's value in full speech; large, so that a penalised regression may use it freely."""
SMOOTHING = 15
"""Hops over which loudness is averaged, so that a click does not pass for speech."""
MEMORY = 1000
"""Hops for which a loud moment is remembered: 10 s."""
LEAK = 0.02
"""dB per hop by which that memory fades: 2 dB/s."""

State = dict[str, Tensor]


def mel_filters() -> Float32[NDArray[np.float32], "bins bands"]:
    """Triangles of unit height, evenly spaced on the mel scale (O'Shaughnessy 1987), over the bins of the DFT."""
    mel = np.linspace(_mel(LOWEST), _mel(HIGHEST), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1)[:, None] * SAMPLE_RATE / WINDOW
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


class AudioEncoder(nn.Module):
    """Sound to features, with its memory as a value (all zeros: a silent past)."""

    waves: Tensor
    filters: Tensor
    spectrum: Tensor

    def __init__(self) -> None:
        super().__init__()
        time, frequency = np.arange(WINDOW)[None], np.arange(WINDOW // 2 + 1)[:, None]
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / WINDOW)
        # A full-scale sine then has power 1/2 in its bin, i.e. its mean square.
        turns = hann * math.sqrt(2) / hann.sum() * np.exp(-2j * np.pi * time * frequency / WINDOW)
        # Real and imaginary parts as one convolution; both count alike in a band's power.
        waves, filters = np.concatenate([turns.real, turns.imag]), np.concatenate([mel_filters()] * 2)
        self.register_buffer("waves", torch.tensor(waves[:, None], dtype=torch.float32), persistent=False)
        self.register_buffer("filters", torch.tensor(filters.T[..., None]), persistent=False)
        self.register_buffer("spectrum", torch.full((BANDS, 1), -15.0))
        """Mean of each band in speech, dB against the loudness; measured in training."""

    def initial_state(self) -> State:
        """Memory of a stream that has heard nothing."""
        return {"samples": torch.zeros(1, WINDOW - HOP), "loudness": torch.zeros(1, MEMORY + SMOOTHING - 2)}

    def decibels(self, samples: Float[Tensor, "B samples"], state: State) -> tuple[Float[Tensor, "B bands T"], State]:
        """Band powers in dB against the present loudness, before the floor is applied.

        Args:
            samples: whole hops (160·T samples) in -1..1; louder ones are clipped, NaN counts as silence.
            state: what the call before gave back, or `initial_state()`.
        """
        samples = torch.nan_to_num(samples, 0.0, 0.0, 0.0).clamp(-1.0, 1.0)
        heard = torch.cat([state["samples"], samples], 1)
        turned = nn.functional.conv1d(heard[:, None], self.waves, stride=HOP)
        bands = nn.functional.conv1d(turned.square(), self.filters)
        # Loudness is kept over QUIETEST, so that zeros mean a silent past.
        lowest = 10 ** (QUIETEST / 10)
        loudness = 10 * torch.log10(bands.sum(1).clamp_min(lowest)) - QUIETEST
        history = torch.cat([state["loudness"], loudness], 1)
        after = {"samples": heard[:, HOP - WINDOW :], "loudness": history[:, 2 - MEMORY - SMOOTHING :]}
        level = 10 * torch.log10(bands.clamp_min(1e-20))
        return level - (QUIETEST + self._reference(history))[:, None], after

    def features(self, decibels: Float[Tensor, "B bands T"]) -> Float[Tensor, "B features T"]:
        """Floor, centre and scale: zero for silence; in speech bands lie around zero and presence at PRESENCE."""
        over = ((decibels - self.spectrum + FLOOR) / DECIBELS).clamp_min(0.0)
        presence = torch.tanh(over.mean(1, keepdim=True))
        return torch.cat([over - FLOOR / DECIBELS * presence, PRESENCE * presence], 1)

    def forward(self, samples: Float[Tensor, "B samples"], state: State) -> tuple[Float[Tensor, "B features T"], State]:
        """Features of whole hops of sound; see `decibels`."""
        decibels, after = self.decibels(samples, state)
        return self.features(decibels), after

    @staticmethod
    def _reference(history: Float[Tensor, "B past"]) -> Float[Tensor, "B T"]:
        """Loudness of the present speech: the highest smoothed one of the last 10 s, each fading with its age."""
        smooth = nn.functional.avg_pool1d(history[:, None], SMOOTHING, 1)
        # Fading by age = a ramp added before and taken away after the maximum.
        ramp = LEAK * torch.arange(smooth.shape[-1], dtype=smooth.dtype, device=smooth.device)
        highest = nn.functional.max_pool1d(smooth + ramp, MEMORY, 1)
        return (highest - ramp[MEMORY - 1 :]).clamp_min(0.0)[:, 0]
