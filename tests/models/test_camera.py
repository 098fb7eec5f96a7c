"""The camera obeys conventions.md: which way x, y and z go, and where pixel centres are."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.camera import Camera, Crop, project, rotation_matrix, transform

CAMERA = Camera(focal=1000.0, cx=320.0, cy=240.0, width=640, height=480)
angles = st.lists(st.floats(-3.0, 3.0, allow_subnormal=False), min_size=3, max_size=3).map(np.array)


@given(angles)
def test_rotation_is_rodrigues(rotvec):
    expected, _ = cv2.Rodrigues(rotvec)
    np.testing.assert_allclose(rotation_matrix(rotvec), expected, atol=1e-9)


@pytest.mark.parametrize("tiny", [0.0, 1e-30, 1e-12])
def test_rotation_near_zero_is_finite(tiny):
    np.testing.assert_allclose(rotation_matrix(np.array([tiny, 0.0, 0.0])), np.eye(3), atol=1e-11)


def test_person_s_left_is_screen_right_and_up_is_up():
    left_eye_and_crown = np.array([[3.0, 0.0, 0.0], [0.0, 10.0, 0.0]])
    in_camera = transform(left_eye_and_crown, np.zeros(3), np.array([0.0, 0.0, -50.0]))
    eye, crown = project(CAMERA, in_camera)
    np.testing.assert_allclose(eye, [380.0, 240.0, 50.0])
    np.testing.assert_allclose(crown, [320.0, 40.0, 50.0])


def test_positive_yaw_turns_the_nose_to_screen_right():
    nose = transform(np.array([[0.0, 0.0, 5.0]]), np.array([0.0, 0.3, 0.0]), np.array([0.0, 0.0, -50.0]))
    assert project(CAMERA, nose)[0, 0] > CAMERA.cx


def test_batches_equal_singles():
    rng = np.random.default_rng(0)
    vertices, rotation, translation = rng.normal(size=(4, 7, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    batch = transform(vertices, rotation, translation)
    for i in range(4):
        np.testing.assert_allclose(batch[i], transform(vertices[i], rotation[i], translation[i]))
    assert transform(vertices[0], rotation, translation).shape == (4, 7, 3)


def test_float32_stays_float32():
    zeros = np.zeros((2, 3), np.float32)
    assert transform(zeros, zeros[0], zeros[0] - 1).dtype == np.float32


def test_crop_round_trip_and_camera():
    crop = Crop(x=100.0, y=50.0, scale=0.8)
    points = project(CAMERA, np.array([[1.0, 2.0, -40.0]]))
    inside = project(crop.camera(CAMERA, 256), np.array([[1.0, 2.0, -40.0]]))
    np.testing.assert_allclose(crop.to_crop(points[:, :2]), inside[:, :2])
    np.testing.assert_allclose(crop.to_frame(inside[:, :2]), points[:, :2])


def test_warp_matrix_keeps_pixel_centres():
    """A dot whose centre is at frame px (20.5, 10.5) lands, magnified by 3 about (16, 8), at crop px (13.5, 7.5)."""
    frame = np.zeros((32, 32), np.float32)
    frame[10, 20] = 1.0
    out = cv2.warpAffine(frame, Crop(16.0, 8.0, 3.0).frame_to_crop(), (48, 48))
    ys, xs = np.mgrid[:48, :48] + 0.5
    centre = np.array([(xs * out).sum(), (ys * out).sum()]) / out.sum()
    np.testing.assert_allclose(centre, [13.5, 7.5], atol=0.02)
