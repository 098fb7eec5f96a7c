"""One coarse sculpture, posed and filmed small."""

from collections.abc import Callable

import numpy as np
import pytest

from models.character.body import Body, Part, build
from models.character.camera import Camera
from models.character.controls import Controls
from models.character.rig import Rig
from models.character.sculpt import MOUTH_Y

pytestmark = pytest.mark.slow  # Numba compiles the sculpture's fields


@pytest.fixture(scope="module")
def body() -> Body:
    return build(detail=0.5)


@pytest.fixture(scope="module")
def camera(body: Body) -> Camera:
    return Camera(body, 64)


@pytest.fixture
def gap(body: Body) -> Callable[[Controls], float]:
    """Clearance (cm) between the lips at the middle of the mouth."""
    rig = Rig(body)
    head = body.slices["head"]
    x, y, z = body.rest[head].T
    middle = (abs(x) < 0.35) & (z > 4.2) & (abs(y - MOUTH_Y) < 1.5)

    def measure(controls: Controls) -> float:
        posed = rig.pose(controls)[head]
        upper, lower = posed[middle & (y > MOUTH_Y)], posed[middle & (y < MOUTH_Y)]
        return float(upper[:, 1].min() - lower[:, 1].max())

    return measure


def test_a_frame_is_the_same_every_time(camera: Camera) -> None:
    first, again = camera.film(Controls(jaw=0.3)), camera.film(Controls(jaw=0.3))
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert 40 < first.mean() < 160


def test_the_lips_meet_when_closed_and_never_cross(gap: Callable[[Controls], float]) -> None:
    assert abs(gap(Controls())) < 0.08
    assert abs(gap(Controls(press=1.0))) < 0.08
    assert gap(Controls(tuck=1.0)) > -0.08


def test_the_jaw_opens_the_mouth(gap: Callable[[Controls], float]) -> None:
    openings = [gap(Controls(jaw=jaw)) for jaw in (0.0, 0.2, 0.4, 0.8)]
    assert np.all(np.diff(openings) > 0.3)


def test_a_blink_covers_the_eyes(body: Body, camera: Camera) -> None:
    def seen(controls: Controls) -> int:
        vertices = Rig(body).pose(controls)
        part = camera.parts(vertices)
        return int((part == Part.EYE).sum())

    assert seen(Controls()) > 30
    assert seen(Controls(blink=1.0)) <= 0.05 * seen(Controls())


def test_the_head_turns_and_the_shoulders_stay(body: Body) -> None:
    rig = Rig(body)
    still, turned = rig.pose(Controls()), rig.pose(Controls(yaw=0.2))
    moved = np.linalg.norm(turned - still, axis=1)
    assert moved[body.slices["eye1"]].min() > 0.5
    assert moved[body.slices["coat"]].max() < 1e-6
