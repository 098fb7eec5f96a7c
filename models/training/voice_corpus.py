"""Everything the voice network learns from, in one file: sounds as band powers, and what the face does at them.

Letters: N hops of all sounds, T hops of one, Q rows of all targets; a sound of T hops has T + 1 rows (hop boundaries).

Powers, rather than samples, are small, and most of what happens to a sound on its way to the network is simple on them:
noise adds, rooms smear, microphones multiply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int8, UInt8
from numpy.typing import NDArray

from models.audio_encoder import HOP, AudioEncoder
from models.training.visemes import UNKNOWN

STEP = 0.5
"""dB between two stored powers."""
LEAST = -120.0
"""dBFS that the number 1 stands for; 0 stands for nothing at all."""
DOMAINS = {"face": 48, "facegood": 20, "styletalk": 20, "curves": 4}
"""What is known of a face, and in how many numbers: coefficients of the `tracked` model, an animator's, another
tracker's, and dominance curves of visemes."""

Powers = UInt8[NDArray[np.uint8], "T bands"]


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound and where its numbers lie. Sounds of the same name are the same words over different lines."""

    name: str
    person: str
    source: str
    """A field of `Shares`."""
    weight: float
    """Among those of its source."""
    first: int
    """Hop in `powers`."""
    hops: int
    row: int
    """In the targets."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All sounds and targets."""

    sounds: Sequence[Sound]
    powers: UInt8[NDArray[np.uint8], "N bands"]
    targets: dict[str, Float16[NDArray[np.float16], "Q width"]]
    """By domain."""
    known: dict[str, Bool[NDArray[np.bool_], " Q"]]
    """Rows of each domain that hold something."""
    visemes: Int8[NDArray[np.int8], " Q"]

    def save(self, path: Path) -> None:
        """Write one compressed .npz; nothing half-written is left under `path`."""
        table = np.array(json.dumps([asdict(sound) for sound in self.sounds]))
        arrays: dict[str, Any] = {f"target_{name}": rows for name, rows in self.targets.items()}
        arrays |= {f"known_{name}": np.packbits(rows) for name, rows in self.known.items()}
        temporary = path.with_name(f".{path.stem}.part.npz")
        np.savez_compressed(temporary, table=table, powers=self.powers, visemes=self.visemes, **arrays)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read what `save` wrote."""
        with np.load(path) as file:
            visemes = file["visemes"]
            known = {n: np.unpackbits(file[f"known_{n}"], count=len(visemes)).astype(bool) for n in DOMAINS}
            targets = {name: file[f"target_{name}"] for name in DOMAINS}
            sounds = [Sound(**entry) for entry in json.loads(str(file["table"]))]
            return cls(sounds, file["powers"], targets, known, visemes)

    def of(self, sound: Sound) -> Powers:
        """Stored powers of one sound."""
        return self.powers[sound.first : sound.first + sound.hops]

    def with_sounds(self, source: str, more: Sequence[Powers]) -> Corpus:
        """The same and more sounds; nothing else is known of them."""
        longest, first, row = max(map(len, more)), len(self.powers), len(self.visemes)
        added = []
        for i, powers in enumerate(more):
            added.append(Sound(f"{source}_more_{i}", "nobody", source, 1.0, first, len(powers), row))
            first += len(powers)
        rows_more = ((0, longest + 1), (0, 0))
        return Corpus(
            [*self.sounds, *added],
            np.concatenate([self.powers, *more]),
            {name: np.pad(rows, rows_more) for name, rows in self.targets.items()},
            {name: np.pad(rows, rows_more[0]) for name, rows in self.known.items()},
            np.pad(self.visemes, rows_more[0], constant_values=UNKNOWN),
        )

    def rows(self, sound: Sound) -> slice:
        """Rows of one sound in the targets."""
        return slice(sound.row, sound.row + sound.hops + 1)


class CorpusWriter:
    """Collects sounds and targets."""

    def __init__(self) -> None:
        self._sounds: list[Sound] = []
        self._powers: list[Powers] = []
        self._targets: dict[str, list[NDArray[np.float16]]] = {name: [] for name in DOMAINS}
        self._known: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in DOMAINS}
        self._visemes: list[NDArray[np.int8]] = []
        self._hops = self._rows = 0

    def add(
        self,
        sound: tuple[str, str, str, float],
        lines: Sequence[Powers],
        targets: Mapping[str, tuple[NDArray[np.floating], NDArray[np.bool_]]],
        visemes: NDArray[np.integer] | None = None,
    ) -> None:
        """Add a sound.

        Args:
            sound: name, person, source, weight.
            lines: the same sound over one or more lines, of equal length.
            targets: by domain, values at hop boundaries and which of them are known.
            visemes: at hop boundaries, if there are labels.
        """
        hops = len(lines[0])
        for line in lines:
            name, person, source, weight = sound
            self._sounds.append(Sound(name, person, source, weight / len(lines), self._hops, hops, self._rows))
            self._powers.append(line)
            self._hops += hops
        for domain, width in DOMAINS.items():
            values, known = targets.get(domain, (np.zeros((hops + 1, width)), np.zeros(hops + 1, np.bool_)))
            self._targets[domain].append(np.where(known[:, None], values, 0).astype(np.float16))
            self._known[domain].append(known)
        labels = np.full(hops + 1, UNKNOWN) if visemes is None else visemes
        self._visemes.append(labels.astype(np.int8))
        self._rows += hops + 1

    def corpus(self) -> Corpus:
        """Everything that was added."""
        return Corpus(
            self._sounds,
            np.concatenate(self._powers),
            {name: np.concatenate(parts) for name, parts in self._targets.items()},
            {name: np.concatenate(parts) for name, parts in self._known.items()},
            np.concatenate(self._visemes),
        )


def stored_powers(sound: Float32[NDArray[np.float32], " samples"], encoder: AudioEncoder) -> Powers:
    """A sound as stored."""
    whole = torch.from_numpy(sound[: len(sound) // HOP * HOP])[None]
    with torch.inference_mode():
        bands = encoder.powers(whole, encoder.initial_state())[0][0].T.numpy()
    decibels = 10 * np.log10(np.maximum(bands, 1e-20))
    return np.clip(np.round((decibels - LEAST) / STEP) + 1, 0, 255).astype(np.uint8)


def powers_of(stored: torch.Tensor) -> torch.Tensor:
    """Mean squares, as the encoder counts them, from stored ones."""
    decibels = (stored.float() - 1) * STEP + LEAST
    return torch.where(stored > 0, 10 ** (decibels / 10), 0.0)
