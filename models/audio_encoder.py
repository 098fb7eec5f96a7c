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
LOWEST_POWER = 10 ** (QUIETEST / 10)
FLOOR = 36.0
"""dB from a band's mean in speech down to where features begin."""
DECIBELS = 10.0
"""dB per unit of the features."""
FEATURES = BANDS + 1
PRESENCE = 3.0
"""The presence feature's value in full speech; large, so that a penalised regression may use it freely."""
ROOT = 20
"""Of WINDOW; divides HOP as well."""
SMOOTHING = 15
"""Hops over which loudness is averaged, so that a click does not pass for speech."""
MEMORY = 1000
"""Hops for which a loud moment is remembered: 10 s."""
LEAK = 0.02
"""dB per hop by which that memory fades: 2 dB/s."""

FINITE = float(np.finfo(np.float32).max)

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
    """Sound to features, with its memory as a value (all zeros: a silent past).

    The window's Fourier transform takes two steps (Cooley and Tukey 1965): sums over every 20th sample at the lowest
    frequencies, then sums of those, turned. One matrix would be four times the work, and seven times the weights, which
    must come from memory again and again where other networks run in between.
    """

    partial: Tensor
    turned: Tensor
    filters: Tensor
    least: Tensor
    centred: Tensor
    spectrum: Tensor

    def __init__(self) -> None:
        super().__init__()
        partial, turned, filters = _transform()
        self.register_buffer("partial", torch.from_numpy(partial), persistent=False)
        self.register_buffer("turned", torch.from_numpy(turned), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        # Loudness is kept over QUIETEST, so that zeros mean a silent past.
        self.register_buffer("least", torch.tensor([1e-14] * BANDS + [1.0])[:, None], persistent=False)
        centred = torch.eye(FEATURES)
        centred[:, -1] = torch.tensor([-FLOOR / DECIBELS] * BANDS + [PRESENCE])
        self.register_buffer("centred", centred[..., None], persistent=False)
        self.register_buffer("spectrum", torch.full((BANDS, 1), -15.0))
        """Mean of each band in speech, dB against the loudness; measured in training."""

    def initial_state(self) -> State:
        """Memory of a stream that has heard nothing."""
        return {"samples": torch.zeros(1, WINDOW - HOP), "loudness": torch.zeros(1, MEMORY + SMOOTHING - 2)}

    def decibels(self, samples: Float[Tensor, "B samples"], state: State) -> tuple[Float[Tensor, "B bands T"], State]:
        """Band powers in dB against the present loudness, before the floor is applied.

        Args:
            samples: whole hops (160·T samples) in -1..1; louder ones are clipped, what is no number counts as silence.
            state: what the call before gave back, or `initial_state()`.
        """
        bands, heard = self.powers(samples, state)
        decibels, loudness = self.against_loudness(bands, state)
        return decibels, heard | loudness

    def powers(self, samples: Float[Tensor, "B samples"], state: State) -> tuple[Float[Tensor, "B bands T"], State]:
        """Mean square of the sound in each band; see `decibels`."""
        samples = torch.where(samples.abs() <= FINITE, samples, 0.0).clamp(-1.0, 1.0)
        heard = torch.cat([state["samples"], samples], 1)
        columns = heard.reshape(len(heard), -1, ROOT).transpose(1, 2)
        sums = nn.functional.conv1d(columns, self.partial, stride=HOP // ROOT, groups=ROOT)
        bins = nn.functional.conv1d(sums.reshape(len(sums), self.turned.shape[1], -1), self.turned)
        powers = bins.square().reshape(len(bins), self.filters.shape[1], -1)
        return nn.functional.conv1d(powers, self.filters), {"samples": heard[:, HOP - WINDOW :]}

    def against_loudness(
        self, bands: Float[Tensor, "B bands T"], state: State
    ) -> tuple[Float[Tensor, "B bands T"], State]:
        """Powers in dB against the loudness of the present speech."""
        together = torch.cat([bands, bands.sum(1, keepdim=True)], 1)
        level = 10 / math.log(10) * torch.log(torch.maximum(together / LOWEST_POWER, self.least))
        level, loudness = torch.split(level, [BANDS, 1], 1)
        history = torch.cat([state["loudness"], loudness[:, 0]], 1)
        return level - self._reference(history), {"loudness": history[:, 2 - MEMORY - SMOOTHING :]}

    def features(self, decibels: Float[Tensor, "B bands T"]) -> Float[Tensor, "B features T"]:
        """Floor, centre and scale: zero for silence; in speech bands lie around zero and presence at PRESENCE."""
        over = torch.relu((decibels + (FLOOR - self.spectrum)) / DECIBELS)
        presence = torch.tanh(over.mean(1, keepdim=True))
        return nn.functional.conv1d(torch.cat([over, presence], 1), self.centred)

    def forward(self, samples: Float[Tensor, "B samples"], state: State) -> tuple[Float[Tensor, "B features T"], State]:
        """Features of whole hops of sound; see `decibels`."""
        decibels, after = self.decibels(samples, state)
        return self.features(decibels), after

    @staticmethod
    def _reference(history: Float[Tensor, "B past"]) -> Float[Tensor, "B 1 T"]:
        """Loudness of the present speech: the highest smoothed one of the last 10 s, each fading with its age."""
        smooth = nn.functional.avg_pool1d(history[:, None], SMOOTHING, 1)
        # Fading by age = a ramp added before and taken away after the maximum.
        ramp = LEAK * torch.ones_like(smooth).cumsum(2)
        highest = nn.functional.max_pool1d(smooth + ramp, MEMORY, 1)
        return torch.relu(highest - ramp[:, :, MEMORY - 1 :])


def _transform() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Weights of the Fourier transform's two steps, and of what turns its powers into bands.

    Sample ROOT·i + j, bin k + ROOT·m; of the k, half do, since the sound is real.
    """
    j, i = np.arange(ROOT)[:, None, None], np.arange(ROOT)
    time, k = ROOT * i + j, np.arange(ROOT // 2 + 1)[:, None]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / WINDOW)
    # A full-scale sine then has power 1/2 in its bin, i.e. its mean square.
    partial = hann * math.sqrt(2) / hann.sum() * np.exp(-2j * np.pi * time * k / WINDOW)
    turn = np.exp(-2j * np.pi * np.outer(np.arange(ROOT), np.arange(ROOT)) / ROOT)
    turned = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]]).transpose(2, 0, 3, 1)

    frequency = k + ROOT * np.arange(ROOT)[:, None, None]
    folded = np.minimum(frequency, WINDOW - frequency)
    once = np.zeros(folded.shape, bool).ravel()
    once[np.unique(folded, return_index=True)[1]] = True
    mel = mel_filters()[folded.ravel()] * once[:, None]
    # Real and imaginary parts count alike in a band's power.
    filters = np.repeat(mel.reshape(ROOT, 1, len(k), BANDS), 2, axis=1).reshape(-1, BANDS).T
    return (
        np.stack([partial.real, partial.imag], 1).reshape(-1, 1, ROOT).astype(np.float32),
        turned.reshape(2 * ROOT, 2 * ROOT, 1).astype(np.float32),
        np.ascontiguousarray(filters[..., None], np.float32),
    )
