"""What the renderer sees: place as colour, the photo without its lower face."""

import numpy as np
import pytest

from models.camera import Camera, Crop, project, transform
from models.conditioning import Conditioner
from models.face_model import FaceModel
from models.renderer_format import BLANK, CHANNELS, SIZE

CAMERA = Camera(512.0, 128.0, 128.0, 256, 256)
CROP = Crop(60.0, 90.0, 1.6)
HOLE = np.array([[60, 80], [200, 80], [130, 220]], np.int32)
AWAY = np.array([0, 2, -58], np.float32)


@pytest.fixture(scope="module")
def face():
    tracked = FaceModel.tracked()
    return tracked.personalise(np.zeros(len(tracked.identity), np.float32))


@pytest.fixture(scope="module")
def conditioner(face):
    return Conditioner(face, CAMERA)


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.1, -0.25, 0.1), (-0.2, 0.2, 0)])
def test_colour_is_the_place_on_the_neutral_face(face, conditioner, turn):
    """Whatever pose and expression: near each landmark's pixel its own code is found."""
    rotation = np.array(turn, np.float32)
    expression = 1.5 * face.expression_scale * np.cos(np.arange(len(face.expression)), dtype=np.float32)
    picture = conditioner.face(expression, rotation, AWAY, CROP)
    code = (face.mean - face.mean.min(0)) / np.ptp(face.mean, axis=0)
    for vertex in face.landmarks[np.isin(face.landmarks[:, 0], [4, 61, 291, 152, 199]), 1]:
        place = transform(face.shape(None, expression)[vertex : vertex + 1], rotation, AWAY)
        u, v = CROP.to_crop(project(CAMERA, place)[0, :2]).astype(int)
        near = picture[v - 2 : v + 3, u - 2 : u + 3, :3].reshape(-1, 3).astype(float)
        assert np.abs(near - 255 * code[vertex]).max(axis=1).min() < 6


def test_an_open_mouth_shows_its_inside(face, conditioner):
    from models.training.framing import parted_lips

    still = np.zeros(3, np.float32)
    inside = [(conditioner.face(parted_lips(face, gap), still, AWAY, CROP)[..., 5] > 127).sum() for gap in (0.0, 2.5)]
    assert inside[1] > 1000 > 10 * inside[0]


def test_normals_point_right_and_up(face, conditioner):
    still = np.zeros(3, np.float32)
    picture = conditioner.face(np.zeros(len(face.expression), np.float32), still, AWAY, CROP)
    drawn = picture[..., :3].any(axis=-1)
    half = drawn & (np.arange(SIZE) < 0.45 * SIZE)
    other = drawn & (np.arange(SIZE) > 0.55 * SIZE)
    assert picture[..., 3][half].mean() < 118 < 138 < picture[..., 3][other].mean()


def test_the_hole_is_blank_and_the_rest_is_the_photo(face, conditioner):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    before = picture.copy()
    expression = np.zeros(len(face.expression), np.float32)
    inputs = conditioner(picture, expression, np.zeros(3, np.float32), AWAY, CROP, HOLE)
    np.testing.assert_array_equal(picture, before)
    assert {name: array.shape for name, array in inputs.items()} == {
        "face": (1, SIZE, SIZE, CHANNELS),
        "photo": (1, SIZE, SIZE, 3),
        "mask": (1, SIZE, SIZE, 1),
    }
    assert all(array.dtype == np.uint8 and array.flags.c_contiguous for array in inputs.values())
    hole = inputs["mask"][0, ..., 0] > 0
    assert hole[150, 130]
    assert not hole[60, 130]
    assert (inputs["photo"][0][hole] == BLANK).all()
    assert inputs["photo"][0][~hole].std() > 30
