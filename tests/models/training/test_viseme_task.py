"""Phoneme labels become visemes on the clock of the sound."""

import json

import numpy as np

from models.training.visemes import GROUPS, UNKNOWN, read_visemes


def test_labels_come_to_hop_boundaries(tmp_path):
    names = {name: number for number, name in enumerate(sorted(" ".join(GROUPS).split()))}
    (tmp_path / "names.json").write_text(json.dumps(names))
    (tmp_path / "labels.json").write_text(json.dumps([names["SIL"]] * 3 + [names["P"]] * 3 + [names["AA"]] * 3))
    visemes = read_visemes(tmp_path / "labels.json", tmp_path / "names.json", late=0.1, rows=40)
    silence, closed = 0, next(i for i, group in enumerate(GROUPS) if "P" in group.split())
    # The label from 0.1 to 0.2 s belongs to the sound from 0 to 0.1 s.
    assert (visemes[:10] == closed).all()
    assert visemes[11] not in (silence, closed, UNKNOWN)
    assert (visemes[20:] == UNKNOWN).all()


def test_every_phoneme_has_one_group():
    phonemes = " ".join(GROUPS).split()
    assert len(phonemes) == len(set(phonemes)) == 41
    assert np.all([len(group) for group in GROUPS])
