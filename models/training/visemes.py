"""Phoneme labels of recordings, as a side task that teaches the voice network to hear what lips do.

Letters: T hops.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from models.audio_encoder import HOP, SAMPLE_RATE

LABELS_PER_SECOND = 30
UNKNOWN = -1
GROUPS = (
    "SIL NSN",
    "P B M",
    "F V",
    "TH DH",
    "T D N L",
    "S Z",
    "SH ZH CH JH",
    "K G NG HH",
    "R ER",
    "W UW UH",
    "OW OY AO",
    "AW",
    "AA AY",
    "AE EH",
    "AH",
    "EY IH",
    "IY Y",
)
"""ARPAbet phonemes that look alike (Fisher 1968, vowels split by rounding and opening)."""

Visemes = Int64[NDArray[np.int64], " T1"]


def read_visemes(labels: Path, names: Path, late: float, rows: int) -> Visemes:
    """Viseme number at each hop boundary.

    Args:
        labels: JSON list with one phoneme number per 1/30 s.
        names: JSON object, phoneme name to number.
        late: seconds by which the labels lag the sound.
        rows: hop boundaries wanted; UNKNOWN where there is no label.
    """
    numbers: dict[str, int] = json.loads(names.read_text(encoding="utf-8"))
    group = np.full(max(numbers.values()) + 1, UNKNOWN, np.int64)
    for index, members in enumerate(GROUPS):
        group[[numbers[name] for name in members.split()]] = index
    visemes = group[np.array(json.loads(labels.read_text(encoding="utf-8")))]
    at = np.floor((np.arange(rows) * HOP / SAMPLE_RATE + late) * LABELS_PER_SECOND).astype(int)
    known = (at >= 0) & (at < len(visemes))
    return np.where(known, visemes[np.clip(at, 0, len(visemes) - 1)], UNKNOWN)
