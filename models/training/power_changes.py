"""Other voices, microphones, rooms and lines, on the band powers of sounds; all on the sounds' device.

Letters: B batch, T hops. `uniform` draws a number for each sound.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.audio_encoder import BANDS, HIGHEST, LOWEST

Bands = Float[Tensor, "B bands T"]
Each = Float[Tensor, "B 1 1"]

LEAST = 1e-14
"""Power below which nothing is told apart."""
LOST = 4
"""Hops in a packet that is lost."""
LOST_SHARE = 0.12
"""Of the packets on a bad line."""


def uniform(low: float, high: float, like: Tensor) -> Each:
    """A random number for each sound."""
    return low + (high - low) * torch.rand(len(like), 1, 1, device=like.device)


def decibels(change: Tensor) -> Tensor:
    """dB as a factor on powers."""
    return torch.exp(change * (math.log(10) / 10))


def with_formants_moved(powers: Bands, factor: Each) -> Bands:
    """The same with all frequencies multiplied by a factor near one."""

    def mel(hertz: Tensor) -> Tensor:
        return 2595 * torch.log10(1 + hertz / 700)

    lowest, highest = mel(torch.tensor([LOWEST, HIGHEST], device=powers.device))
    step = (highest - lowest) / (BANDS + 1)
    centre = 700 * (10 ** ((lowest + step * torch.arange(1, BANDS + 1, device=powers.device)) / 2595) - 1)
    place = ((mel(centre[:, None] / factor) - lowest) / step - 1).clamp(0, BANDS - 1.001)
    below = place.floor()
    index, weight = below.long().expand_as(powers), place - below
    level = (powers + LEAST).log()
    return (level.gather(1, index) * (1 - weight) + level.gather(1, index + 1) * weight).exp()


def with_other_colour(powers: Bands, most: float) -> Bands:
    """Through another microphone: tilted and bent by at most so many dB at the ends, a few bands lost."""
    band = torch.linspace(-1, 1, BANDS, device=powers.device)[None, :, None]
    colour = uniform(-most, most, powers) * band + uniform(-most, most, powers) * 0.7 * (band**2 - 0.33)
    lost = (band - uniform(-1.5, 1.5, powers)).abs() < uniform(0.0, 0.12, powers)
    return powers * decibels(colour - 25.0 * lost)


def over_the_telephone(powers: Bands, share: float) -> Bands:
    """A share of the sounds loses what a narrow line does not carry: below 100 to 450 Hz, above 2.6 to 7.6 kHz."""
    band = torch.arange(BANDS, device=powers.device)[None, :, None]
    beyond = (band < uniform(-1.0, 4.0, powers)) | (band > uniform(18.0, float(BANDS), powers))
    chosen = uniform(0.0, 1.0, powers) < share
    return powers * decibels(-uniform(25.0, 80.0, powers) * (beyond & chosen))


def in_room(powers: Bands, share: float) -> Bands:
    """Reverberation: powers decay exponentially (Polack's model, 0.15 to 0.7 s to -60 dB)."""
    hops = torch.arange(powers.shape[2], device=powers.device)
    age = (hops[:, None] - hops).clamp_min(0)[None]
    seconds, loud = uniform(0.15, 0.7, powers), decibels(uniform(-22.0, -8.0, powers))
    chosen = (uniform(0.0, 1.0, powers) < share)[:, 0, 0]
    tail = torch.exp(-age * 0.138 / seconds[chosen]) * (hops[:, None] > hops)
    out = powers.clone()
    out[chosen] += loud[chosen] * (powers[chosen] @ tail.mT)
    return out


def with_losses(powers: Bands, share: float) -> Bands:
    """A share of the sounds loses packets."""
    packets = powers.shape[2] // LOST + 1
    lost = torch.rand(len(powers), 1, packets, device=powers.device) < LOST_SHARE
    lost &= uniform(0.0, 1.0, powers) < share
    return powers * ~lost.repeat_interleave(LOST, 2)[:, :, : powers.shape[2]]
