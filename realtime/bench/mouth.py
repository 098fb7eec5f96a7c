"""The acoustic test: a click with a vowel goes in at the microphone, and the frame is found that opens the mouth.

How the mouth is read: after the run the face is drawn once more, silent, frame by frame over the same background. The
opening of a frame that was seen is by how much it differs from its silent twin, in the pixels of a small grey picture
that differ most while the vowels sound. The mouth is open in the first frame that has a quarter of the vowel's opening.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.bench.alignment import align
from realtime.bench.figures import percentiles
from realtime.bench.inside import Observed
from realtime.bench.witness import thumbnail
from realtime.clock import samples_before
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE, Samples
from realtime.ports import Animator

SILENCE_S, VOWEL_S, PITCH_HZ = (0.5, 0.8), (0.3, 0.5), (100, 140)
"""Ranges of each pause, vowel and pitch. No two are alike, so that each is found again for certain."""
CLICK = SAMPLE_RATE // 500
FORMANTS = ((730, 90), (1090, 110), (2440, 170))
"""Frequency and bandwidth (Hz) of an open vowel, as in "father" (Peterson and Barney, *Control Methods Used in a Study
of the Vowels*, JASA 1952)."""
MOUTH = 0.03
"""Share of the pixels that are taken for the mouth's."""
OPEN = 0.25
"""Share of a vowel's opening from which the mouth counts as open."""
SETTLED_S = 2
"""Vowels in the first seconds do not count."""


def clicks_and_vowels(seconds: float) -> tuple[Samples, NDArray[np.int64]]:
    """The voice: a pause, a click and a vowel, and so on; and the sample numbers of the clicks."""
    rng = np.random.default_rng(0)
    pieces, begins, length = [], [], 0
    while length < seconds * SAMPLE_RATE:
        silence = np.zeros(round(rng.uniform(*SILENCE_S) * SAMPLE_RATE))
        vowel = _vowel(round(rng.uniform(*VOWEL_S) * SAMPLE_RATE), rng.uniform(*PITCH_HZ))
        begins.append(length + len(silence))
        length += len(silence) + len(vowel)
        pieces += [silence, vowel]
    return np.concatenate(pieces).astype(np.float32), np.array(begins)


def _vowel(length: int, pitch: float) -> NDArray[np.float64]:
    sound = np.zeros(length)
    sound[np.arange(0, length, SAMPLE_RATE / pitch).astype(int)] = 1
    for frequency, width in FORMANTS:
        sound = _resonate(sound, frequency, width)
    fade = np.minimum(1, np.arange(length)[::-1] / (0.03 * SAMPLE_RATE))
    vowel = 0.4 * sound / np.abs(sound).max() * fade
    vowel[:CLICK] = 0.8
    return vowel


def acoustic(
    animator: Animator[Any], observed: Observed, heard: Samples, said: Samples, clicks: NDArray[np.int64]
) -> dict[str, float | int | dict[str, float]]:
    """Delay from each vowel at the microphone to the mouth that opens for it at the consumer (ms).

    Args:
        animator: draws the silent twins.
        observed: what the consumer saw, with thumbnails.
        heard: the voice as it came to the animator.
        said: the voice as it was spoken, and
        clicks: where its vowels begin (`clicks_and_vowels`).

    Raises:
        InputError: the voice or the mouth's movement is not to be found.
    """
    there, spoken = align(heard, observed.captured.samples), align(said, observed.captured.samples)
    if not there.found or not spoken.found or len(observed.witness.thumbs) < 2:
        raise InputError("The vowels did not come through: nothing was seen, or something else was heard.")
    numbers = observed.witness.numbers
    at = np.array(observed.witness.times)
    shows = there.to_other(np.array([samples_before(number, animator.fps) for number in numbers], np.float64))
    begins = spoken.to_other(clicks.astype(np.float64))
    begins = begins[(begins > shows[0] + SETTLED_S * SAMPLE_RATE) & (begins < shows[-1] - VOWEL_S[0] * SAMPLE_RATE)]
    voiced = ((shows[:, None] >= begins) & (shows[:, None] < begins + VOWEL_S[0] * SAMPLE_RATE)).any(1)
    opening = _opening(np.array(observed.witness.thumbs), _silent(animator, numbers), voiced)
    delays, lags = [], []
    for begin in begins:
        frame = _opens(opening, shows, begin)
        if frame is not None:
            delays.append(float(at[frame] - observed.captured.time(begin)))
            lags.append((shows[frame] - begin) / SAMPLE_RATE)
    if not delays:
        raise InputError("The mouth did not open for any vowel: is the puppet's mouth hidden?")
    return {
        "delay": percentiles(np.array(delays)),
        "mouth_after_sound_in_media_time": percentiles(np.array(lags)),
        "found": len(delays),
        "of": len(begins),
    }


def _opens(opening: NDArray[np.float64], shows: NDArray[np.float64], begin: float) -> int | None:
    """The first frame that opens the mouth for the vowel that begins at sample `begin`; None if none does."""
    rest = (shows > begin - 0.3 * SAMPLE_RATE) & (shows < begin - 0.1 * SAMPLE_RATE)
    vowel = np.flatnonzero((shows >= begin - 0.1 * SAMPLE_RATE) & (shows < begin + VOWEL_S[0] * SAMPLE_RATE))
    if not rest.any() or len(vowel) == 0:
        return None
    low, high = float(np.median(opening[rest])), float(opening[vowel].max())
    if high < 2 * low + 1:  # a grey level at least
        return None
    return int(vowel[np.argmax(opening[vowel] > low + OPEN * (high - low))])


def _opening(seen: NDArray[np.uint8], silent: NDArray[np.uint8], voiced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Grey levels by which the mouth of each frame differs from its silent twin's."""
    gain, offset = np.polyfit(silent[::5].ravel().astype(np.float64), seen[::5].ravel().astype(np.float64), 1)
    apart = np.abs(seen - (gain * silent + offset))  # the way through a codec may change the range of grey
    moves = apart[voiced].mean(0) - apart[~voiced].mean(0)
    mouth = moves >= np.quantile(moves, 1 - MOUTH)
    return apart[:, mouth].mean(1)


def _silent(animator: Animator[Any], numbers: list[int]) -> NDArray[np.uint8]:
    wanted = set(numbers)
    thumbs = []
    state = animator.initial_state()
    heard = 0
    for number in range(numbers[-1] + 1):
        needed = samples_before(number + 1, animator.fps) + animator.look_ahead
        picture, state = animator.step(np.zeros(needed - heard, np.float32), state)
        heard = needed
        if number in wanted:
            thumbs.append(thumbnail(picture[:, :, 1]))
    return np.array(thumbs)


def _resonate(sound: NDArray[np.float64], frequency: float, width: float) -> NDArray[np.float64]:
    """A two-pole resonance (Klatt, *Software for a cascade/parallel formant synthesizer*, JASA 1980)."""
    radius = np.exp(-np.pi * width / SAMPLE_RATE)
    feedback = 2 * radius * np.cos(2 * np.pi * frequency / SAMPLE_RATE), -radius * radius
    out = np.zeros(len(sound) + 2)
    for at, sample in enumerate(sound):
        out[at + 2] = sample + feedback[0] * out[at + 1] + feedback[1] * out[at]
    return out[2:]
