"""The prepared folder: complete or absent, and drawn as live."""

from itertools import islice

import numpy as np
import pytest
from shown_clips import made_up_fit, pictures

from models.conditioning import Conditioner
from models.errors import VideoError
from models.renderer_format import BLANK
from models.training.framing import frame_lower_face
from models.training.prepare import APART, FILES, join, partners, prepare


@pytest.fixture(scope="module")
def fit():
    return made_up_fit(12)


@pytest.fixture(scope="module")
def framing(fit):
    return frame_lower_face(fit)


def test_training_sees_what_live_sees(fit, framing, tmp_path):
    told = []
    prepare(tmp_path / "clip", pictures(12), fit, framing, lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)
    live = Conditioner(fit.face, fit.camera)
    face, photo, mask = (np.load(tmp_path / "clip" / f"{name}.npy") for name in ("face", "photo", "mask"))
    for n, picture in enumerate(pictures(12)):
        motion = (fit.expression[n], fit.rotation[n], fit.translation[n])
        inputs = live(picture, *motion, framing.crop_at(n), framing.hole[n])
        np.testing.assert_array_equal(inputs["face"][0], face[n])
        np.testing.assert_array_equal(inputs["mask"][0, ..., 0], mask[n])
        np.testing.assert_array_equal(inputs["photo"][0], np.where(mask[n, ..., None] > 0, BLANK, photo[n]))


def test_a_clip_that_ends_early_leaves_nothing(fit, framing, tmp_path):
    with pytest.raises(VideoError, match="7 frames where 12"):
        prepare(tmp_path / "clip", islice(pictures(12), 7), fit, framing)
    assert not list(tmp_path.iterdir())


def test_partners_are_at_the_same_place_at_another_time():
    fit = made_up_fit(60)
    framing = frame_lower_face(fit)
    chosen = partners(framing)
    others = 0
    for n, row in enumerate(chosen):
        for k in set(row.tolist()) - {n}:
            others += 1
            assert abs(k - n) >= APART
            assert np.linalg.norm(framing.hole[k] - framing.hole[n], axis=-1).mean() < 2
    assert others > 0


def test_two_clips_joined_are_one_after_the_other(fit, framing, tmp_path):
    prepare(tmp_path / "one", pictures(12), fit, framing)
    prepare(tmp_path / "two", pictures(12), fit, framing)
    join(tmp_path / "both", tmp_path / "one", tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "one", "two"]
    for name in FILES:
        one, both = (np.load(tmp_path / folder / f"{name}.npy") for folder in ("one", "both"))
        np.testing.assert_array_equal(both[:12], one)
        np.testing.assert_array_equal(both[12:], one + 12 if name == "partner" else one)
