"""Gather what the voice network learns from: python -m models.training.build_corpus --help

People with fitted expressions, an animator's face, voices without a face, synthetic speech and noises, as one file.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from models.audio_encoder import SAMPLE_RATE, AudioEncoder
from models.training import expression_sounds as sounds
from models.training import styletalk
from models.training.expression_data import (
    Clip,
    Recording,
    Signal,
    load_clip,
    load_voice,
    on_sound_clock,
    sound_files,
)
from models.training.expression_sources import KEPT_OUT, RECORDINGS
from models.training.lip_basis import person_weights
from models.training.phoneme_curves import read_phonemes
from models.training.telephone import over_the_line
from models.training.voice_corpus import DOMAINS, Corpus, CorpusWriter, Powers, stored_powers
from models.video import read_sound

LEAST_SECONDS = 20.0
"""Of speech that give a person full weight."""
FACEGOOD_LATE = 0.064
"""s by which that mouth lags its sound, as the universal network of people hears it."""
NOISES = {
    "coloured_noise": 25, "knocks": 25, "music": 35, "rustle": 12, "chirps": 20, "taps": 15, "scraping": 18,
}  # fmt: skip
NOISE_SECONDS = 6


class Gatherer:
    """Puts sounds into a corpus, each as it is and over a bad line."""

    def __init__(self, seed: int = 1) -> None:
        self.writer = CorpusWriter()
        self._encoder = AudioEncoder()
        self._rng = np.random.default_rng(seed)

    def lines(self, sound: Signal, copies: int = 1) -> list[Powers]:
        """A sound as stored, and copies of it over bad lines."""
        spoilt = [over_the_line(sound, self._rng) for _ in range(copies)]
        return [stored_powers(each, self._encoder) for each in (sound, *spoilt)]

    def people(self, fits: Path, clips: Path, visemes: Path | None, other: Path | None) -> None:
        """Recordings with fitted expressions; KEPT_OUT gets no weight."""
        read = [load_clip(recording, fits, clips, visemes) for recording in (*RECORDINGS, *KEPT_OUT)]
        weights = person_weights(read, LEAST_SECONDS)
        for clip in read:
            recording, rows = clip.recording, len(clip.valid)
            kept_out = recording in KEPT_OUT
            labels, targets = clip.visemes, {"face": (clip.expression, clip.valid)}
            if other is not None and not kept_out:
                known = styletalk.labels(other, recording.stem, rows)
                labels = labels if known is None else known
                tracked = styletalk.coefficients(other, recording.stem, DOMAINS["styletalk"])
                if tracked is not None:
                    again = on_sound_clock(recording, clip.sound, *tracked, styletalk.FPS)
                    targets["styletalk"] = _at_rows(again, rows)
            about = (recording.stem, recording.person, "people", 0.0 if kept_out else weights[recording.stem])
            self.writer.add(about, self.lines(clip.sound, 0 if kept_out else 1), targets, labels)

    def facegood(self, folder: Path) -> None:
        """One voice with an animator's face."""
        files = sorted(folder.glob("*.npz"))
        faces = []
        for file in files:
            with np.load(file) as animation:
                faces.append((animation["weights"].astype(np.float32), Fraction(str(animation["fps"]))))
        everything = np.concatenate([face for face, _ in faces])
        moves = np.sort(np.argsort(-everything.std(0))[: DOMAINS["facegood"]])  # the others stand nearly still
        middle = np.median(everything[:, moves], 0)
        size = np.sqrt(((everything[:, moves] - middle) ** 2).sum(1).mean())
        for file, (face, fps) in zip(files, faces, strict=True):
            sound = read_sound(file.with_suffix(".wav"))
            if sound is None:
                raise ValueError(f"{file.with_suffix('.wav')} has no sound.")
            recording = Recording(file.stem, "facegood", FACEGOOD_LATE)
            valid = np.ones(len(face), np.bool_)
            clip = on_sound_clock(recording, sound, (face[:, moves] - middle) / size, valid, fps)
            target = {"facegood": (clip.expression, clip.valid)}
            self.writer.add((file.stem, "facegood", "facegood", 1.0), self.lines(clip.sound), target)

    def voices(self, folder: Path, visemes: Path | None) -> None:
        for file in sound_files(folder).values():
            clip = load_voice(file, visemes)
            self.writer.add((file.stem, file.stem, "voices", 1.0), self.lines(clip.sound), {}, clip.visemes)

    def introduction(self, folder: Path) -> None:
        """StyleTalk's voice with phonemes and without a face."""
        clip = load_voice(folder / "wav" / "intro.wav", None)
        known = styletalk.labels(folder, "intro", len(clip.valid))
        self.writer.add(("intro", "intro", "voices", 4.0), self.lines(clip.sound), {}, known)

    def synthetic(self, folder: Path) -> None:
        """Speech with exact phoneme times."""
        for file in sorted(folder.glob("*.wav")):
            clip = load_voice(file, None)
            visemes, curves = read_phonemes(file.with_suffix(".json"), len(clip.valid))
            target = {"curves": (curves, np.ones(len(clip.valid), np.bool_))}
            self.writer.add((file.stem, file.stem, "synthetic", 1.0), self.lines(clip.sound, 0), target, visemes)

    def noises(self) -> None:
        """Sounds in which nobody speaks."""
        for kind, number in NOISES.items():
            for i in range(number):
                noise = getattr(sounds, kind)(NOISE_SECONDS * SAMPLE_RATE, self._rng)
                powers = stored_powers((noise / np.abs(noise).max()).astype(np.float32), self._encoder)
                self.writer.add((f"{kind}_{i}", "nobody", "noise", 1.0), [powers], {})


def _at_rows(clip: Clip, rows: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Faces of a clip that may end before its sound does."""
    count = rows - len(clip.valid)
    faces: Float32[NDArray[np.float32], "rows width"] = np.pad(clip.expression, ((0, max(count, 0)), (0, 0)))[:rows]
    return faces, np.pad(clip.valid, (0, max(count, 0)))[:rows]


def gather(options: argparse.Namespace) -> Corpus:
    """Everything that the folders hold."""
    gatherer = Gatherer()
    gatherer.people(options.fits, options.clips, options.visemes, options.styletalk)
    if options.facegood:
        gatherer.facegood(options.facegood)
    if options.voices:
        gatherer.voices(options.voices, options.visemes)
    if options.styletalk:
        gatherer.introduction(options.styletalk)
    if options.synthetic:
        gatherer.synthetic(options.synthetic)
    gatherer.noises()
    return gatherer.writer.corpus()


def main() -> None:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description="Gather what the voice network learns from into one file.")
    parser.add_argument("--fits", type=Path, required=True, help="folder with the fitted expressions, <clip>.npz")
    parser.add_argument("--clips", type=Path, required=True, help="folder with the clips")
    parser.add_argument("--voices", type=Path, help="folder with speech without pictures")
    parser.add_argument("--visemes", type=Path, help="folder with labels for clips and voices; see label_visemes.py")
    parser.add_argument("--styletalk", type=Path, help="folder with StyleTalk's 3DMM, phoneme and wav")
    parser.add_argument("--facegood", type=Path, help="folder with FACEGOOD's recordings, <name>.wav and <name>.npz")
    parser.add_argument("--synthetic", type=Path, help="folder with speech and phoneme times; see speak_texts.py")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args()
    corpus = gather(options)
    corpus.save(options.out)
    for source in dict.fromkeys(sound.source for sound in corpus.sounds):
        chosen = {sound.name: sound.hops for sound in corpus.sounds if sound.source == source}
        print(f"{source:10s} {len(chosen):4d} sounds, {sum(chosen.values()) / 6000:5.1f} min")


if __name__ == "__main__":
    main()
