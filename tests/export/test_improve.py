"""More video for a puppet: only of the same person, only for one that keeps what it learned, and never half done."""

from dataclasses import replace

import numpy as np
import pytest

from export.improve import SAME_PERSON, Learned, check_person, distance, put_in_place
from models.errors import PuppetError, TrackingError
from models.face_model import FaceModel
from models.puppet import Puppet


def wider(face: FaceModel, by: float) -> FaceModel:
    """Another person: the same face, `by` times as wide."""
    return replace(face, mean=face.mean * np.float32([by, 1, 1]))


def test_one_face_is_itself_wherever_and_however_large():
    face = Puppet.bundled().face
    moved = replace(face, mean=face.mean * np.float32(1.1) + np.float32([1, 2, 3]))
    assert distance(face, face) == 0
    assert distance(face, moved) < 1e-3


def test_somebody_else_is_refused():
    face = Puppet.bundled().face
    other = wider(face, 1.25)
    assert distance(face, other) > SAME_PERSON
    with pytest.raises(TrackingError, match="another person"):
        check_person(other, face)
    check_person(wider(face, 1.02), face)


def test_a_puppet_that_keeps_nothing_says_so():
    with pytest.raises(PuppetError, match="does not keep what it has learned"):
        Learned.of(Puppet.bundled())


def test_the_new_one_takes_the_place_of_the_old(tmp_path):
    for name in ("me", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "puppet.json").write_text(name)
    put_in_place(tmp_path / "new", tmp_path / "me")
    assert [path.name for path in tmp_path.iterdir()] == ["me"]
    assert (tmp_path / "me" / "puppet.json").read_text() == "new"
