"""Phonemes as the lips show them: a side task that teaches the voice network to hear what matters to lips.

Letters: T hops.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

UNKNOWN = -1
GROUPS = (
    "SIL",
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
"""ARPAbet phonemes that look alike (after Fisher 1968; vowels by rounding and opening)."""

Visemes = Int64[NDArray[np.int64], " T1"]


def viseme_of(phoneme: str) -> int:
    """Number of a phoneme's group; UNKNOWN for anything that is no phoneme, such as a noise."""
    return next((number for number, group in enumerate(GROUPS) if phoneme in group.split()), UNKNOWN)


def read_visemes(folder: Path | None, stem: str, rows: int) -> Visemes:
    """Labels <stem>.npy that label_visemes.py wrote, one per hop boundary; UNKNOWN where there are none."""
    visemes = np.full(rows, UNKNOWN, np.int64)
    if folder is not None and (file := folder / f"{stem}.npy").is_file():
        labels = np.load(file)[:rows]
        visemes[: len(labels)] = labels
    return visemes
