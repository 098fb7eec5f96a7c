"""Does the mouth open in time? First syllables after silence, a quiet room and a pause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE
from models.evaluate.silence_rows import LOOK_AHEADS
from models.evaluate.voice_scores import Ruler
from models.expression_net import DIAL, ExpressionNet

LOUD, FAINT = -15.0, -25.0
"""dB against the loud tenth of a recording: what belongs to a syllable, and what still is a pause."""
PAUSE = 0.3
"""Seconds without a sound before a first syllable."""
LASTS = 1.3
"""Seconds of speech that are heard from there on."""
LEVEL = -20.0
"""dB from full scale down to the speech's peaks."""
ROOM = -60.0
"""dBFS of the room's noise."""
MOVES = 0.02
"""Of the widest opening, from which the mouth counts as moving."""
TOLERATED = 60
"""ms"""

Sound = Float32[NDArray[np.float32], "_"]


def first_syllables(sound: Sound) -> list[tuple[Sound, int]]:
    """Speech that follows a pause, from 60 ms before it begins, and the hop in which it does."""
    power = np.add.reduceat(sound.astype(np.float64) ** 2, np.arange(0, len(sound) // HOP * HOP, HOP))
    level = 10 * np.log10(power / np.quantile(power, 0.9) + 1e-12)
    lasts, pause, lead = (int(seconds * SAMPLE_RATE / HOP) for seconds in (LASTS, PAUSE, 0.06))
    found = []
    again = 0
    for hop in range(pause, len(level) - lasts):
        if hop >= again and level[hop] > LOUD and (level[hop - pause : hop - lead] < FAINT).all():
            begins = hop - int((level[hop - lead : hop][::-1] < FAINT).argmax())
            again = hop + pause
            found.append((sound[(begins - lead) * HOP : (begins + lasts) * HOP], lead))
    return found


def onset_rows(net: ExpressionNet, ruler: Ruler, sounds: Sequence[Sound], seed: int = 7) -> Iterator[dict[str, Any]]:
    """How long after a first sound the mouth starts to move, beyond the look-ahead.

    Args:
        net: the network.
        ruler: of its coefficients.
        sounds: recordings with pauses.
        seed: of the noise.
    """
    rng, gain = np.random.default_rng(seed), 10 ** (LEVEL / 20)
    heard = [(gain * part / np.abs(sound).max(), at) for sound in sounds for part, at in first_syllables(sound)]
    if not heard:
        return
    speech = gain * sounds[0][: 3 * SAMPLE_RATE] / np.abs(sounds[0]).max()
    before = {
        "silence": np.zeros(SAMPLE_RATE),
        "a quiet room": 10 ** (ROOM / 20) * rng.standard_normal(SAMPLE_RATE),
        "speech and a pause": np.concatenate([speech, np.zeros(2 * SAMPLE_RATE)]),
    }
    for name, lead in before.items():
        streams = [(np.concatenate([lead, part]).astype(np.float32), len(lead) // HOP + at) for part, at in heard]
        for ms in LOOK_AHEADS:
            late = [_late(net, ruler, stream, ms, first) for stream, first in streams]
            yield {
                "before": name,
                "look_ahead_ms": ms,
                "syllables": len(heard),
                "late_ms": float(np.median(late)),
                "late_ms_p90": float(np.quantile(late, 0.9)),
                "too_late": float(np.mean(np.array(late) > TOLERATED)),
            }


def _late(net: ExpressionNet, ruler: Ruler, stream: Sound, ms: int, first: int) -> float:
    """ms from the hop in which a sound begins to the one that shows the mouth moving, less the look-ahead."""
    rows, _ = net.step(torch.from_numpy(stream)[None], net.initial_state(), DIAL.index(ms))
    opening = np.abs(rows.numpy() @ ruler.gap)[first:]
    moves = opening > MOVES * opening.max()
    return float(moves.argmax() if moves.any() else len(moves)) * HOP * 1000 / SAMPLE_RATE - ms
