"""Crop and hole: the hole covers every jaw, and neither shakes nor breathes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from shown_clips import at_rest, made_up_fit

from models.camera import project, transform
from models.conditioning import hole_mask
from models.errors import FaceModelError
from models.renderer_format import SIZE
from models.training.framing import LOWER_LIP, UPPER_LIP, WIDE_OPEN_CM, frame_lower_face, parted_lips


@pytest.fixture(scope="module")
def fit():
    return made_up_fit(40)


@pytest.fixture(scope="module")
def framing(fit):
    return frame_lower_face(fit)


@pytest.mark.parametrize("distance", [0.0, 1.0, WIDE_OPEN_CM])
def test_lips_part_as_asked(fit, distance):
    vertex = dict(fit.face.landmarks.tolist())
    shape = fit.face.shape(None, parted_lips(fit.face, distance))
    assert shape[vertex[UPPER_LIP], 1] - shape[vertex[LOWER_LIP], 1] == pytest.approx(distance, abs=1e-3)


def test_a_model_without_inner_lips_is_refused(fit):
    face = replace(fit.face, landmarks=fit.face.landmarks[fit.face.landmarks[:, 0] != UPPER_LIP])
    with pytest.raises(FaceModelError, match="inner lips"):
        parted_lips(face, 0.0)


def test_the_hole_covers_the_lower_face_however_the_jaw_stands(fit, framing):
    region = fit.face.regions["lower_face"]
    jaws = [fit.face.shape(None, parted_lips(fit.face, gap))[region] for gap in (0.0, 1.5, WIDE_OPEN_CM)]
    for n in range(len(fit.expression)):
        own = fit.face.shape(None, fit.expression[n])[region]
        for jaw in (*jaws, own):
            points = project(fit.camera, transform(jaw, fit.rotation[n], fit.translation[n]))[:, :2]
            inside = framing.crop_at(n).to_crop(points)
            for point in inside:
                assert cv2.pointPolygonTest(framing.hole[n], point.tolist(), True) > -0.5


def test_the_hole_lies_in_the_crop_and_the_lips_in_the_hole(framing):
    assert framing.hole.min() >= 0
    assert framing.hole.max() <= SIZE
    for n in range(0, len(framing.hole), 10):
        left, top, right, bottom = framing.mouth[n].astype(int)
        assert hole_mask(framing.hole[n])[top:bottom, left:right].all()


def test_speech_alone_does_not_move_the_crop(fit):
    framing = frame_lower_face(at_rest(fit))
    assert np.ptp(framing.crop[:, :2], axis=0).max() < 1.0
    assert np.ptp(framing.crop[:, 2]) == 0


def test_a_small_face_is_not_enlarged_without_bound(fit):
    far = replace(fit, translation=fit.translation * np.array([1, 1, 4], np.float32))
    assert frame_lower_face(far).crop[:, 2].max() <= 2.0
