"""Phonemes become visemes; labels lie on the clock of the sound."""

import numpy as np
import pytest

from models.training.visemes import GROUPS, UNKNOWN, read_visemes, viseme_of


def test_every_phoneme_has_one_group():
    phonemes = " ".join(GROUPS).split()
    assert len(phonemes) == len(set(phonemes)) == 40
    assert viseme_of("P") == viseme_of("M") != viseme_of("F")
    assert viseme_of("+NSN+") == UNKNOWN


def test_labels_are_cut_or_filled_to_the_sound(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(10))
    assert read_visemes(tmp_path, "a", 4).tolist() == [0, 1, 2, 3]
    assert read_visemes(tmp_path, "a", 12).tolist() == [*range(10), UNKNOWN, UNKNOWN]
    assert (read_visemes(tmp_path, "b", 3) == UNKNOWN).all()
    assert (read_visemes(None, "a", 3) == UNKNOWN).all()


def test_silence_is_labelled_silence():
    pytest.importorskip("pocketsphinx", reason="labels are made with PocketSphinx, which is no dependency")
    from models.training.label_visemes import Recogniser

    labels = Recogniser()(1e-4 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32))
    assert len(labels) == 101
    assert np.isin(labels, [UNKNOWN, *range(len(GROUPS))]).all()
