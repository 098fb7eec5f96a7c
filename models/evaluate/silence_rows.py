"""Does the mouth keep still when nobody speaks? A minute each of silence, room noise, keys and music."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE
from models.evaluate.voice_scores import Ruler
from models.expression_net import DIAL, ExpressionNet
from models.training.expression_data import Clip
from models.training.expression_sounds import coloured_noise, knocks, music
from models.training.heads import PUPILS_APART

SECONDS = 60
LEVEL = -30.0
"""dBFS of what is heard."""
LOOK_AHEADS = (0, 80, 160)
"""ms"""
AFTER_SPEECH = " after speech"
"""Added to the name of a noise that begins when somebody falls silent."""
OPEN = 0.1
"""Opening of the lips, cm, from which a mouth counts as open: a pixel in a face of 160 px between the pupils."""
STILL_SHARE = 0.1
"""Of a person's seconds, the calmest: how still a living mouth is, with the tracker's noise."""

Sound = Float32[NDArray[np.float32], "_"]


def noises(seed: int = 7) -> dict[str, Sound]:
    """A minute of each, at LEVEL."""
    rng, count = np.random.default_rng(seed), SECONDS * SAMPLE_RATE
    sounds = {"silence": np.zeros(count), "room noise": coloured_noise(count, rng), "keyboard": knocks(count, rng)}
    sounds["music"] = music(count, rng)
    return {name: at_level(sound) for name, sound in sounds.items()}


def at_level(sound: Float[NDArray[np.floating], "_"]) -> Sound:
    """A sound at LEVEL (root mean square), repeated or cut to a minute."""
    sound = np.resize(sound, SECONDS * SAMPLE_RATE).astype(np.float64)
    loud = np.sqrt((sound**2).mean())
    return (sound / loud * 10 ** (LEVEL / 20) if loud else sound).astype(np.float32)


def natural_stillness(clips: Sequence[Clip], ruler: Ruler) -> float:
    """Speed of people's mouths in their calmest seconds, pupil distances per second; the median person."""
    calm = []
    for clip in clips:
        speed = np.abs(np.diff(clip.expression @ ruler.gap)) * SAMPLE_RATE / HOP
        known = clip.valid[1:] & clip.valid[:-1]
        seconds = [speed[i : i + 100].mean() for i in range(0, len(speed) - 99, 50) if known[i : i + 100].all()]
        calm += [float(np.quantile(seconds, STILL_SHARE))] if seconds else []
    return float(np.median(calm)) / PUPILS_APART


def silence_rows(
    net: ExpressionNet, ruler: Ruler, sounds: dict[str, Sound], before: Sound, natural: float
) -> Iterator[dict[str, Any]]:
    """Speed of the lips (pupil distances per second) and openings of the mouth, while nobody speaks.

    Args:
        net: the network.
        ruler: of its coefficients.
        sounds: by name, without speech.
        before: speech that is heard before, in a second row for each.
        natural: what `natural_stillness` says.
    """
    before = before[: len(before) // HOP * HOP]
    for name, sound in sounds.items():
        for speech, suffix in ((before[:0], ""), (before, AFTER_SPEECH)):
            for ms in LOOK_AHEADS:
                stream = torch.from_numpy(np.concatenate([speech, sound]))[None]
                rows, _ = net.step(stream, net.initial_state(), DIAL.index(ms))
                # After speech a second for its last words to come out and the mouth to close.
                start = len(speech) // HOP + ms // 10 + 100 if len(speech) else 0
                opening = rows.numpy()[start:] @ ruler.gap
                minutes = len(opening) * HOP / SAMPLE_RATE / 60
                open_now = (opening > OPEN).astype(np.int8)
                yield {
                    "noise": name + suffix,
                    "look_ahead_ms": ms,
                    "lip_speed": float(np.abs(np.diff(opening)).mean() * SAMPLE_RATE / HOP / PUPILS_APART),
                    "natural": natural,
                    "false_openings_per_min": float((np.diff(open_now, prepend=0) == 1).sum() / minutes),
                }
