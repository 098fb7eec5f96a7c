"""Label speech with visemes: python -m models.training.label_visemes --sounds DIR ... --out DIR

A phoneme recogniser that needs no transcript (PocketSphinx, BSD licence; pip install pocketsphinx) listens to English
speech. Its labels are far from perfect, and good enough to teach a side task from many voices.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from models.audio_encoder import HOP
from models.training.expression_data import Signal, sound_files
from models.training.visemes import UNKNOWN, Visemes, viseme_of
from models.video import read_sound

FRAME = 160
"""Samples per label of the recogniser."""
LOUDEST = 0.7


class Recogniser:
    """Phonemes of a sound, as visemes."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder, get_model_path

        model = Path(get_model_path()) / "en-us"
        self._decoder = Decoder(
            hmm=str(model / "en-us"),
            allphone=str(model / "en-us-phone.lm.bin"),
            lw=2.0,
            beam=1e-20,
            pbeam=1e-20,
            loglevel="FATAL",
        )

    def __call__(self, sound: Signal) -> Visemes:
        """A label for each hop boundary."""
        scale = LOUDEST * 32767 / max(float(np.abs(sound).max()), 1e-6)
        self._decoder.start_utt()
        self._decoder.process_raw((sound * scale).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        labels = np.full(len(sound) // HOP + 1, UNKNOWN, np.int64)
        for segment in self._decoder.seg():
            # Frame n hears 25 ms from n * 10 ms on, whose middle is nearest to boundary n + 1.
            labels[segment.start_frame + 1 : segment.end_frame + 2] = viseme_of(segment.word)
        return labels


def main() -> None:
    """Label every sound under some folders that has no labels yet."""
    parser = argparse.ArgumentParser(description="Label speech with visemes.")
    parser.add_argument("--sounds", type=Path, nargs="+", required=True, help="folders with sounds or videos")
    parser.add_argument("--out", type=Path, required=True, help="folder for <name>.npy")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    recognise = Recogniser()
    for folder in options.sounds:
        for stem, file in sound_files(folder).items():
            sound, labels = read_sound(file), options.out / f"{stem}.npy"
            if sound is not None and not labels.exists():
                np.save(labels, recognise(sound))
                print(stem, flush=True)


if __name__ == "__main__":
    main()
