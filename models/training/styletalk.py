"""What StyleTalk's authors know about some of the clips: another tracker's coefficients, and phonemes.

Rows of the coefficients begin at the third picture, since two pictures more stand at the beginning of most videos. The
labels are 1/30 s long and lag the sound a little; where sound was cut from the start of a clip, so were its labels.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64
from numpy.typing import NDArray

from models.training.visemes import UNKNOWN, Visemes, viseme_of

FPS = Fraction(30)
LABELS_LATE = 0.04
"""s; the best agreement with a phoneme recogniser, in all clips."""
CUT = {"Obama_clip1_synced": 0.2, "Obama_clip2_synced": 0.05, "Obama_clip3_synced": 0.083}
"""s of sound that were cut from the start."""
FIRST_PICTURE = {"Obama_clip3_synced": 0}
"""Picture of the first row of coefficients; 2 elsewhere."""
EXPRESSION = slice(80, 144)
"""Of the coefficients, in the layout of Deep3DFaceRecon (Deng et al. 2019)."""


def _source(stem: str) -> str:
    return stem.removesuffix("_synced")


def coefficients(
    folder: Path, stem: str, width: int
) -> tuple[Float32[NDArray[np.float32], "N width"], Bool[NDArray[np.bool_], " N"]] | None:
    """The strongest expression coefficients, picture by picture, against their median and in units of their spread."""
    from scipy.io import loadmat

    file = folder / "3DMM" / f"{_source(stem)}.mat"
    if not file.is_file():
        return None
    rows = loadmat(file)["coeff"][:, EXPRESSION][:, :width].astype(np.float32)
    rows -= np.median(rows, 0)
    rows /= np.sqrt((rows**2).sum(1).mean())
    first = FIRST_PICTURE.get(stem, 2)
    known = np.ones(first + len(rows), np.bool_)
    known[:first] = False
    return np.concatenate([np.zeros((first, width), np.float32), rows]), known


def labels(folder: Path, stem: str, rows: int) -> Visemes | None:
    """Visemes at hop boundaries of a clip's sound."""
    file = folder / "phoneme" / f"{_source(stem)}_seq.json"
    if not file.is_file():
        return None
    names = {number: name for name, number in json.loads((folder / "phindex.json").read_text()).items()}
    groups = np.array([viseme_of(names[number].upper()) for number in json.loads(file.read_text())])
    time: Float64[NDArray[np.float64], " rows"] = np.arange(rows) / 100 + CUT.get(stem, 0.0) + LABELS_LATE
    index = (time * float(FPS)).astype(int)
    return np.where(index < len(groups), groups[np.minimum(index, len(groups) - 1)], UNKNOWN)
