"""Fitting: known parameters are projected, blurred with noise and found again."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_clips import Truth, made_up_clip

from models.camera import rotation_matrix
from models.errors import FaceModelError, TrackingError
from models.face_model import FaceModel
from models.tracker import Track
from models.training.fit_face import FaceFit, fit
from models.training.heads import similarity
from models.training.overlay import overlay_sheet

CLIPS = Path(__file__).parents[3] / "../shared/data/clips"
UPPER, LOWER = 13, 14


@pytest.fixture(scope="module")
def face() -> FaceModel:
    return FaceModel.tracked()


@pytest.fixture(scope="module")
def truth(face: FaceModel) -> Truth:
    return made_up_clip(face)


@pytest.fixture(scope="module")
def found(face: FaceModel, truth: Truth) -> FaceFit:
    return fit(truth.track, face)


def turn_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between rotations, degrees."""
    between = np.swapaxes(rotation_matrix(a.astype(float)), 1, 2) @ rotation_matrix(b.astype(float))
    return np.degrees(np.arccos(np.clip((np.trace(between, axis1=1, axis2=2) - 1) / 2, -1, 1)))


class TestRoundTrip:
    def test_reprojection_is_down_to_the_noise(self, found: FaceFit):
        assert np.median(found.residual) < 0.35  # the noise alone gives 0.28 px

    def test_pose(self, found: FaceFit, truth: Truth):
        assert np.median(turn_error(found.rotation, truth.rotation)) < 1.5
        assert np.abs(np.diff(turn_error(found.rotation, truth.rotation))).max() < 0.5

    def test_expression(self, found: FaceFit, truth: Truth):
        for k in range(6):
            assert np.corrcoef(found.expression[:, k], truth.expression[:, k])[0, 1] > (0.98 if k < 3 else 0.92), k
        ratio = found.expression[:, 0].std() / truth.expression[:, 0].std()
        assert ratio == pytest.approx(1, abs=0.08)

    def test_lip_gap(self, found: FaceFit, truth: Truth):
        gaps = [
            np.linalg.norm(p[:, UPPER] - p[:, LOWER], axis=1) for p in (found.landmarks(), truth.track.points[..., :2])
        ]
        assert np.corrcoef(*gaps)[0, 1] > 0.99

    def test_neutral_shape(self, face: FaceModel, found: FaceFit, truth: Truth):
        """Nearer to the person than the mean face is; where the head's own axes lie is a matter of taste."""
        upper = np.flatnonzero(face.mean[:468, 1] > -4)
        person = face.shape(truth.identity, np.zeros(48, np.float32))[upper].astype(float)

        def distance(shape: np.ndarray) -> float:
            rotation, scale, shift = similarity(shape[upper].astype(float), person)
            return np.linalg.norm(shape[upper] @ rotation * scale + shift - person, axis=1).mean()

        assert distance(found.face.mean) < 0.4 * distance(face.mean)

    def test_neutral_has_the_lips_closed(self, found: FaceFit):
        gap = found.face.mean[UPPER, 1] - found.face.mean[LOWER, 1]
        open_most = found.face.mean + np.tensordot(found.expression, found.face.expression, 1)
        gaps = open_most[:, UPPER, 1] - open_most[:, LOWER, 1]
        assert gap < np.quantile(gaps, 0.15)


def test_left_stays_left(face: FaceModel):
    straight, crooked = (fit(made_up_clip(face, 3, 40, crooked=pull).track, face).face.mean for pull in (0.0, 0.5))
    lifted = (crooked - straight)[[61, 291], 1] - (crooked - straight)[1, 1]
    assert lifted[1] == pytest.approx(0.5, abs=0.15)
    assert abs(lifted[0]) < 0.1


def test_lost_frames_are_interpolated_and_marked(face: FaceModel, truth: Truth):
    lost = np.zeros(120, bool)
    lost[[0, 1, 50, 51, 52, 119]] = True
    points = truth.track.points.copy()
    points[lost] = np.nan
    found = fit(replace(truth.track, points=points, valid=~lost), face)
    np.testing.assert_array_equal(found.valid, ~lost)
    for values in (found.expression, found.rotation, found.translation, found.residual):
        assert np.isfinite(values).all()
    assert np.median(turn_error(found.rotation[50:53], truth.rotation[50:53])) < 3
    assert turn_error(found.rotation[[0, 119]], truth.rotation[[0, 119]]).max() < 6


def test_outliers_do_not_pull(face: FaceModel, truth: Truth, found: FaceFit):
    points = truth.track.points.copy()
    points[60:62, 0:30, :2] += 25  # a hand before the mouth
    disturbed = fit(replace(truth.track, points=points), face)
    error = np.linalg.norm(disturbed.landmarks() - truth.track.points[:, :468, :2], axis=-1)
    assert np.median(error[60:62]) < 1.0


def test_too_few_frames(face: FaceModel, truth: Truth):
    nothing = replace(truth.track, valid=np.arange(120) < 9)
    with pytest.raises(TrackingError, match="Only 9 frames show a face"):
        fit(nothing, face)


def test_model_without_rigid_landmarks(face: FaceModel, truth: Truth):
    with pytest.raises(FaceModelError, match="too few landmarks"):
        fit(truth.track, replace(face, landmarks=face.landmarks[[13, 14, 17]]))


def test_saved_and_loaded(found: FaceFit, tmp_path: Path):
    found.save(tmp_path / "fit.safetensors")
    again = FaceFit.load(tmp_path / "fit.safetensors")
    np.testing.assert_array_equal(again.expression, found.expression)
    np.testing.assert_array_equal(again.face.mean, found.face.mean)
    assert (again.camera, again.fps) == (found.camera, found.fps)
    found.face.save(tmp_path / "face.safetensors")
    with pytest.raises(FaceModelError, match="no fitted motion"):
        FaceFit.load(tmp_path / "face.safetensors")


def test_overlay_sheet(found: FaceFit, tmp_path: Path):
    frames = ((n / 25, np.full((256, 256, 3), 40, np.uint8)) for n in range(120))
    overlay_sheet(tmp_path / "sheet.png", frames, found)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (1200, 1600, 3)
    assert (sheet[..., 1].astype(int) - sheet[..., 2] > 10).mean() > 0.05  # the mesh is green
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.skipif(not CLIPS.is_dir(), reason="real clips absent: ../shared/data is not part of the project")
def test_ict_fits_the_same_track(truth: Truth):
    """Another topology with 68 landmarks only follows the same lips."""
    ict = FaceModel.ict(CLIPS.parent / "ict/ict_light.npz")
    track = Track(
        truth.track.points[:40], truth.track.valid[:40], truth.track.confidence[:40], truth.track.times[:40],
        256, 256, truth.track.fps, 0.0,
    )  # fmt: skip
    found = fit(track, ict)
    place = {point: row for row, point in enumerate(ict.landmarks[:, 0].tolist())}
    view = found.landmarks()
    gap = np.linalg.norm(view[:, place[UPPER]] - view[:, place[LOWER]], axis=1)
    seen = np.linalg.norm(track.points[:, UPPER, :2] - track.points[:, LOWER, :2], axis=1)
    assert np.corrcoef(gap, seen)[0, 1] > 0.95
