"""A photo in motion: the head moves as told, the room stays, lids hide the eyes."""

import cv2
import numpy as np
from photo_case import photo

from models.camera import project, transform
from models.motion import Motion
from models.photo.still import Still

NOTHING = np.zeros(3)


def test_without_motion_it_is_the_photo():
    case = photo()
    error = np.abs(Still(case.picture, case.fit).frame(Motion(NOTHING, NOTHING, 0.0)).astype(int) - case.picture)
    assert error.mean() < 0.05


def test_the_head_goes_where_its_pose_says_and_the_room_stays():
    case = photo()
    motion = Motion(np.radians([0.0, 0.0, 1.5]), np.array([0.6, 0.2, 0.0]), 0.0)
    moved = Still(case.picture, case.fit).frame(motion)
    nose = dict(case.fit.face.landmarks.tolist())[1]
    place = project(
        case.fit.camera, transform(case.fit.face.mean, *motion.moved(case.fit.rotation, case.fit.translation))
    )
    (x0, y0), (x1, y1) = case.fit.track.points[0, 1, :2], place[nose, :2]
    patch = case.picture[round(y0) - 16 : round(y0) + 16, round(x0) - 16 : round(x0) + 16]
    around = moved[round(y0) - 40 : round(y0) + 40, round(x0) - 40 : round(x0) + 40]
    *_, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED))
    assert abs(left - 24 - (x1 - x0)) <= 1.5
    assert abs(top - 24 - (y1 - y0)) <= 1.5
    assert abs(x1 - x0) > 2.5
    np.testing.assert_allclose(moved[:, :10].astype(int), case.picture[:, :10], atol=5)


def test_shut_lids_hide_the_eyes_and_nothing_else():
    """What was white and iris becomes as bright as the skin beneath the brow."""
    case = photo()
    shut = Still(case.picture, case.fit).frame(Motion(NOTHING, NOTHING, 1.0)).astype(int)
    points = case.fit.track.points[0, :, :2]
    for corners, lids in (((33, 133), (159, 145)), ((362, 263), (386, 374))):
        x, y = points[list(corners) + list(lids)].mean(axis=0).round().astype(int)
        skin = case.picture[y + 18 : y + 22, x - 3 : x + 4].mean(axis=(0, 1))
        before, after = (p[y - 2 : y + 1, x - 3 : x + 4].mean(axis=(0, 1)) for p in (case.picture, shut))
        assert np.abs(after - skin).mean() < 0.5 * np.abs(before - skin).mean()
    below = round(float(points[2, 1]))
    assert np.abs(shut[below:] - case.picture[below:]).mean() < 0.05


def test_half_shut_lies_between():
    case = photo()
    still = Still(case.picture, case.fit)
    changed = [
        np.abs(still.frame(Motion(NOTHING, NOTHING, lids)).astype(int) - case.picture).sum() for lids in (0.3, 1.0)
    ]
    assert 0 < changed[0] < changed[1]
