import numpy as np
import pytest

from models.character.speech import Phone
from models.character.visemes import BY_IPA, MOUTH, mouth_curves, segments

TIMES = (np.arange(50) + 0.5) / 25
JAW, PRESS, TUCK = (MOUTH.index(name) for name in ("jaw", "press", "tuck"))


def word(*sounds: str) -> list[Phone]:
    return [Phone(ipa, 0.5 + 0.12 * n, 0.62 + 0.12 * n) for n, ipa in enumerate(sounds)]


def test_curves_stay_within_the_range_of_the_parameters() -> None:
    curves = mouth_curves(word(*BY_IPA), np.linspace(0, 6, 400))
    assert curves.min() >= 0
    assert curves.max() <= 1


def test_the_mouth_is_closed_at_rest() -> None:
    assert np.abs(mouth_curves([], TIMES)).max() == 0
    assert np.abs(mouth_curves(word("ɑː"), np.array([3.0]))).max() < 1e-3


@pytest.mark.parametrize("sound", ["m", "p", "b"])
def test_a_bilabial_between_vowels_closes_the_mouth(sound: str) -> None:
    middle = np.array([0.68])  # of the second sound
    curves = mouth_curves(word("ɑː", sound, "ɑː"), middle)[0]
    assert curves[JAW] < 0.08
    assert curves[PRESS] > 0.4


def test_v_tucks_the_lower_lip() -> None:
    assert mouth_curves(word("ɛ", "v", "ə"), np.array([0.68]))[0, TUCK] > 0.7


def test_a_sound_is_seen_when_it_is_heard() -> None:
    fine = np.arange(0, 2, 0.002)
    jaw = mouth_curves(word("m", "ɑː", "m"), fine)[:, JAW]
    assert abs(fine[jaw.argmax()] - 0.68) < 0.015  # the middle of the vowel


def test_a_diphthong_is_split_at_its_middle() -> None:
    first, second = segments(Phone("ˈaɪ", 1.0, 1.2))
    assert first == (BY_IPA["a"], 1.0, 1.1)
    assert second == (BY_IPA["ɪ"], 1.1, 1.2)
