"""Faces are found from a tenth of the frame's longer side up to nearly all of it, wherever they are."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.downloads import tracker_networks
from models.errors import TrackingError
from models.face_follower import FaceNetworks
from models.face_mesh import face_square
from models.video import read_frames

FACE_CLIP = Path(__file__).parents[2] / "../shared/data/clips/andrew_clip_1.mp4"


@pytest.fixture(scope="module")
def networks():
    try:
        tracker_networks()
    except TrackingError as error:
        pytest.skip(str(error))
    return FaceNetworks()


@pytest.fixture(scope="module")
def portrait():
    if not FACE_CLIP.is_file():
        pytest.skip("real clips absent: ../shared/data is not part of the project")
    return next(read_frames(FACE_CLIP))[1]


@pytest.mark.parametrize("size", [150, 250, 500, 720])
@pytest.mark.parametrize("turn", [-0.4, 0.0, 0.4])
def test_one_face_of_any_size(networks, portrait, size, turn):
    """The portrait, `size` px wide, turned, in a grey frame of 1280 × 720."""
    scale, middle = size / 256, np.array([500.0, 360.0])
    turned = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.concatenate([turned, (middle - turned @ [128, 128])[:, None]], axis=1)
    frame = cv2.warpAffine(portrait, matrix, (1280, 720), borderMode=cv2.BORDER_CONSTANT, borderValue=(90, 90, 90))
    upright = face_square(networks.faces(portrait)[0][0])
    found = networks.faces(frame)
    assert len(found) == 1
    square = face_square(found[0][0])
    assert np.hypot(*(matrix @ [upright.x, upright.y, 1.0] - [square.x, square.y])) < 0.06 * size
    assert square.roll - upright.roll == pytest.approx(turn, abs=0.1)


def test_grey_and_noise_hold_no_face(networks):
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    assert networks.faces(noise) == []
    assert networks.faces(np.full((360, 640, 3), 128, np.uint8)) == []
