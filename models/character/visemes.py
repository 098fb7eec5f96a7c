"""Phoneme times -> mouth curves, by dominance functions.

Cohen & Massaro, *Modeling coarticulation in synthetic visual speech* (1993): every segment pulls each mouth parameter
towards a target with a strength that falls off exponentially before and after the segment; the curve is the weighted
mean of all pulls. Lips that must close (m b p) or touch the teeth (f v) pull hard and briefly, vowels softly and long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.character.speech import Phone

MOUTH = ("jaw", "stretch", "pucker", "funnel", "press", "tuck", "raise_lip", "depress", "tongue_up", "tongue_out")


@dataclass(frozen=True)
class Viseme:
    """Targets of the mouth (order of MOUTH), strength of the pull, and its reach in seconds."""

    targets: tuple[float, ...]
    strength: float
    reach: float


def _viseme(strength: float, reach: float, **targets: float) -> Viseme:
    return Viseme(tuple(targets.get(name, 0.0) for name in MOUTH), strength, reach)


REST = _viseme(0.16, 0.10)
_CLOSED = _viseme(9.0, 0.030, press=0.55)
_LABIODENTAL = _viseme(6.0, 0.034, jaw=0.10, tuck=1.0, raise_lip=0.42)
_DENTAL = _viseme(2.2, 0.042, jaw=0.20, tongue_up=0.55, tongue_out=0.75, depress=0.15)
_ALVEOLAR = _viseme(1.2, 0.045, jaw=0.15, stretch=0.18, tongue_up=0.9, depress=0.22)
_LATERAL = _viseme(1.3, 0.050, jaw=0.24, tongue_up=1.0, depress=0.15)
_SIBILANT = _viseme(2.2, 0.045, jaw=0.07, stretch=0.38, depress=0.45, raise_lip=0.28, tongue_up=0.5)
_HUSHING = _viseme(2.6, 0.050, jaw=0.11, funnel=0.85, pucker=0.40, depress=0.15, raise_lip=0.15)
_VELAR = _viseme(0.7, 0.050, jaw=0.22)
_RHOTIC = _viseme(1.4, 0.055, jaw=0.17, funnel=0.50, pucker=0.30, tongue_up=0.4)
_ROUND_GLIDE = _viseme(3.0, 0.055, jaw=0.13, pucker=1.0, funnel=0.15)
_ASPIRATE = _viseme(0.3, 0.050, jaw=0.26)
_OPEN = _viseme(1.5, 0.080, jaw=0.66, stretch=0.05, depress=0.12)
_OPEN_FRONT = _viseme(1.5, 0.080, jaw=0.56, stretch=0.38, depress=0.25, raise_lip=0.20)
_MID_FRONT = _viseme(1.4, 0.070, jaw=0.40, stretch=0.42, depress=0.22, raise_lip=0.15)
_CLOSE_FRONT = _viseme(1.7, 0.070, jaw=0.17, stretch=0.80, depress=0.35, raise_lip=0.15, tongue_up=0.25)
_LAX_FRONT = _viseme(1.2, 0.060, jaw=0.26, stretch=0.42, depress=0.22)
_CENTRAL = _viseme(0.8, 0.055, jaw=0.30, stretch=0.05, depress=0.10)
_OPEN_ROUND = _viseme(1.6, 0.080, jaw=0.50, funnel=0.55, pucker=0.28)
_MID_ROUND = _viseme(1.9, 0.080, jaw=0.36, pucker=0.72, funnel=0.35)
_CLOSE_ROUND = _viseme(2.2, 0.080, jaw=0.17, pucker=1.0, funnel=0.22)
_LAX_ROUND = _viseme(1.6, 0.065, jaw=0.23, pucker=0.60, funnel=0.35)

# The longest name that starts a phoneme decides; of a diphthong each letter takes its share of the time.
BY_IPA = {
    "p": _CLOSED,
    "b": _CLOSED,
    "m": _CLOSED,
    "f": _LABIODENTAL,
    "v": _LABIODENTAL,
    "θ": _DENTAL,
    "ð": _DENTAL,
    "t": _ALVEOLAR,
    "d": _ALVEOLAR,
    "n": _ALVEOLAR,
    "ɾ": _ALVEOLAR,
    "l": _LATERAL,
    "ɫ": _LATERAL,
    "s": _SIBILANT,
    "z": _SIBILANT,
    "ʃ": _HUSHING,
    "ʒ": _HUSHING,
    "tʃ": _HUSHING,
    "dʒ": _HUSHING,
    "k": _VELAR,
    "ɡ": _VELAR,
    "g": _VELAR,
    "ŋ": _VELAR,
    "x": _VELAR,
    "ʔ": _VELAR,
    "ɹ": _RHOTIC,
    "r": _RHOTIC,
    "w": _ROUND_GLIDE,
    "j": _CLOSE_FRONT,
    "h": _ASPIRATE,
    "ɑ": _OPEN,
    "a": _OPEN,
    "ʌ": _OPEN,
    "ɐ": _OPEN,
    "æ": _OPEN_FRONT,
    "ɛ": _MID_FRONT,
    "e": _MID_FRONT,
    "i": _CLOSE_FRONT,
    "ɪ": _LAX_FRONT,
    "ᵻ": _LAX_FRONT,
    "ə": _CENTRAL,
    "ɚ": _RHOTIC,
    "ɜ": _RHOTIC,
    "ɒ": _OPEN_ROUND,
    "ɔ": _OPEN_ROUND,
    "o": _MID_ROUND,
    "u": _CLOSE_ROUND,
    "ʊ": _LAX_ROUND,
    "y": _CLOSE_ROUND,
}


def segments(phone: Phone) -> list[tuple[Viseme, float, float]]:
    """The visemes of one phoneme with start and end (s). Unknown sounds count as the neutral vowel."""
    name = phone.ipa.strip("ˈˌː̩ʲʰ")
    if name[:2] in BY_IPA:
        return [(BY_IPA[name[:2]], phone.start, phone.end)]
    known = [BY_IPA[letter] for letter in name if letter in BY_IPA] or [_CENTRAL]
    edges = np.linspace(phone.start, phone.end, len(known) + 1)
    return [(v, float(a), float(b)) for v, a, b in zip(known, edges[:-1], edges[1:], strict=True)]


def mouth_curves(phones: Sequence[Phone], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mouth parameters [len(times), len(MOUTH)] within the range of the targets; at rest far from any sound."""
    weights = np.full((len(times), 1), REST.strength)
    total = np.zeros((len(times), len(MOUTH)))
    for phone in phones:
        for viseme, start, end in segments(phone):
            outside = np.maximum(np.maximum(start - times, times - end), 0.0)
            # The mouth gets ready before the sound and lets go of it more slowly.
            reach = np.where(times < start, 0.9 * viseme.reach, viseme.reach)
            # Within the segment the pull grows towards its middle, so that short ones still get there.
            inside = np.clip(np.minimum(times - start, end - times) / 0.02, 0, 1)
            pull = (viseme.strength * np.exp(-outside / reach) * (0.6 + 0.4 * inside))[:, None]
            weights += pull
            total += pull * np.array(viseme.targets)
    return total / weights
