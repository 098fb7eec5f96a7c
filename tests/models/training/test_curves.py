"""The course of a training over an interruption, and its optional log."""

import sys

import numpy as np
import pytest

from models.errors import InputError
from models.training.curves import Curves, read_curves, tensorboard
from models.training.train_renderer import Progress


def test_what_was_taken_back_is_left_out(tmp_path):
    with Curves(tmp_path / "curves.csv") as curves:
        for step in (10, 20, 30):
            curves.add(Progress(step, step / 100, 1.0, 1.0))
    with Curves(tmp_path / "curves.csv") as curves:  # a run that goes on from the checkpoint of step 15
        for step in (20, 30, 40):
            curves.add(Progress(step, step / 100, 0.5, 1.0))
    course = read_curves(tmp_path / "curves.csv")
    np.testing.assert_array_equal(course[:, 0], [10, 20, 30, 40])
    np.testing.assert_allclose(course[:, 2], [1, 0.5, 0.5, 0.5])


def test_no_course_is_empty(tmp_path):
    assert read_curves(tmp_path / "curves.csv").shape == (0, 3)


def test_without_tensorboard_one_sentence_says_how(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        tensorboard(tmp_path)
