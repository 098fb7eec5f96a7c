"""What lips do at phonemes whose times are known: dominance functions (Cohen and Massaro 1993).

Every phoneme pulls each articulator towards its own place, most at its middle and less before and after; what the
articulator does is the mean of all the places, weighed by the pulls. Letters: T1 hop boundaries.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.training.visemes import GROUPS, UNKNOWN, Visemes

ARTICULATORS = ("open", "closed", "round", "lip to teeth")
SPREAD = 0.06
"""s from a phoneme's middle at which its pull has fallen to 1/e, beyond half its length."""
STRONG = 4.0
"""Pull of a place that a phoneme must reach, against that of one that it merely has."""

# Places of the articulators, by viseme; what stands at 1 must be reached.
_PLACES: dict[str, tuple[float, float, float, float]] = {
    "SIL": (0.0, 0.3, 0.0, 0.0),
    "P B M": (0.0, 1.0, 0.0, 0.0),
    "F V": (0.1, 0.0, 0.0, 1.0),
    "TH DH": (0.25, 0.0, 0.0, 0.0),
    "T D N L": (0.25, 0.0, 0.0, 0.0),
    "S Z": (0.15, 0.0, 0.0, 0.0),
    "SH ZH CH JH": (0.2, 0.0, 0.6, 0.0),
    "K G NG HH": (0.3, 0.0, 0.0, 0.0),
    "R ER": (0.25, 0.0, 0.4, 0.0),
    "W UW UH": (0.15, 0.0, 1.0, 0.0),
    "OW OY AO": (0.5, 0.0, 0.8, 0.0),
    "AW": (0.8, 0.0, 0.4, 0.0),
    "AA AY": (1.0, 0.0, 0.0, 0.0),
    "AE EH": (0.7, 0.0, 0.0, 0.0),
    "AH": (0.5, 0.0, 0.0, 0.0),
    "EY IH": (0.4, 0.0, 0.0, 0.0),
    "IY Y": (0.25, 0.0, 0.0, 0.0),
}
_IPA = {
    "P B M": "p b m",
    "F V": "f v ʋ",
    "TH DH": "θ ð",
    "T D N L": "t d n l ɾ ɫ ɲ ʎ",
    "S Z": "s z ts dz",
    "SH ZH CH JH": "ʃ ʒ tʃ dʒ ç ɕ ʂ",
    "K G NG HH": "k ɡ g ŋ h x ɣ q ʔ",
    "R ER": "ɹ r ʁ ɜ ɜː ɚ ɝ ɐ ʀ",
    "W UW UH": "w uː u ʊ ɥ y yː ʏ ø øː",
    "OW OY AO": "oʊ əʊ ɔ ɔː o oː ɔɪ ɔø ɒ œ",
    "AW": "aʊ",
    "AA AY": "a aː ɑ ɑː aɪ ɑ̃ aɪə",
    "AE EH": "æ ɛ ɛː e ɛ̃ eː eə",
    "AH": "ʌ ə ɐ",
    "EY IH": "eɪ ɪ ᵻ ɪə",
    "IY Y": "iː i j iə",
}
_GROUP = {ipa: GROUPS.index(group) for group, sounds in reversed(_IPA.items()) for ipa in sounds.split()}


def viseme_of_ipa(ipa: str) -> int:
    """Number of a phoneme's group, by its longest known beginning; UNKNOWN if there is none."""
    plain = "".join(letter for letter in ipa if letter not in "ˈˌ̩̯͡")
    return next((_GROUP[plain[:n]] for n in range(len(plain), 0, -1) if plain[:n] in _GROUP), UNKNOWN)


def read_phonemes(file: Path, rows: int) -> tuple[Visemes, Float64[NDArray[np.float64], "T1 articulators"]]:
    """Visemes and curves at hop boundaries, from a list of {"ipa", "start_s", "end_s"}."""
    entries = json.loads(file.read_text())
    visemes = np.zeros(rows, np.int64)
    for entry in entries:
        start, stop = (round(entry[key] * 100) for key in ("start_s", "end_s"))
        visemes[start:stop] = viseme_of_ipa(entry["ipa"])
    return visemes, curves(visemes)


def curves(visemes: Visemes) -> Float64[NDArray[np.float64], "T1 articulators"]:
    """What the articulators do, 0..1, at a row of visemes."""
    time = np.arange(len(visemes)) / 100
    edges = np.flatnonzero(np.diff(visemes)) + 1
    pull = np.full((len(visemes), len(ARTICULATORS)), 1e-3)
    said = np.zeros_like(pull)
    for start, stop in zip([0, *edges], [*edges, len(visemes)], strict=True):
        if visemes[start] == UNKNOWN:
            continue
        place = np.array(_PLACES[GROUPS[visemes[start]]])
        middle, half = (start + stop - 1) / 200, (stop - start) / 200
        fall = np.exp(-np.clip(np.abs(time - middle) - half / 2, 0, None) / SPREAD)[:, None]
        must = np.where(place >= 1, STRONG, 1.0)
        pull += fall * must
        said += fall * must * place
    return said / pull
