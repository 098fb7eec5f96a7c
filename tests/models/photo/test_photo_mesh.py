"""The mesh of a photo: teeth keep their place and shape, the skirt holds still, and no hole opens anywhere."""

import numpy as np
from photo_case import mesh_and_renderer, photo

from export.photo import swaying
from models.conditioning import Conditioner, hole_mask
from models.face_model import FaceModel
from models.motion import Motion
from models.photo.mesh import COLUMNS, ROWS
from models.training.framing import frame_lower_face, parted_lips


def still() -> Motion:
    return Motion(np.zeros(3), np.zeros(3), 0.0)


def test_teeth_are_rigid_and_only_the_lower_ones_move():
    mesh, _ = mesh_and_renderer()
    wide = mesh.shape(None, parted_lips(photo().fit.face, 2.0)) - mesh.mean
    upper, lower = np.split(mesh.regions["teeth"], 2)
    assert len(upper) == len(lower) == ROWS * COLUMNS
    np.testing.assert_array_equal(wide[upper], 0)
    np.testing.assert_allclose(wide[lower], np.broadcast_to(wide[lower[0]], wide[lower].shape), atol=1e-5)
    assert wide[lower[0], 1] < -0.5


def test_teeth_stand_behind_the_lips_and_before_the_cavity():
    mesh, _ = mesh_and_renderer()
    lips, teeth, cavity = (mesh.mean[mesh.regions[name], 2] for name in ("lips", "teeth", "cavity"))
    assert cavity.max() < teeth.min() - 0.5
    assert teeth.max() < lips.max()


def test_what_is_drawn_anew_is_covered_at_rest_and_wide_open():
    case = photo()
    mesh, _ = mesh_and_renderer()
    framing = frame_lower_face(swaying(case.fit, [still()]))
    conditioner = Conditioner(mesh, case.fit.camera)
    inside = hole_mask(framing.hole[0]) > 0
    for apart in (0.0, 1.0, 3.0):
        expression = parted_lips(case.fit.face, apart)
        face = conditioner.face(expression, np.zeros(3, np.float32), case.fit.translation, framing.crop_at(0))
        assert (face[inside].any(axis=1)).mean() > 0.97, apart
        assert (face[inside, 5] > 127).mean() > 0.01 if apart else (face[inside, 5] > 127).mean() < 0.001


def test_it_is_an_ordinary_face_model(tmp_path):
    mesh, _ = mesh_and_renderer()
    mesh.save(tmp_path / "face.safetensors")
    again = FaceModel.load(tmp_path / "face.safetensors")
    np.testing.assert_array_equal(again.mean, mesh.mean)
    assert again.regions.keys() >= {"lips", "lower_face", "inner_mouth", "eyes", "teeth", "cavity"}


def test_rotation_zero_is_the_photo():
    """A landmark lies where the fit saw it."""
    case = photo()
    mesh, _ = mesh_and_renderer()
    vertex = dict(mesh.landmarks.tolist())[13]
    place = mesh.mean[vertex] + case.fit.translation
    camera = case.fit.camera
    seen = [camera.cx - camera.focal * place[0] / place[2], camera.cy + camera.focal * place[1] / place[2]]
    np.testing.assert_allclose(seen, case.fit.track.points[0, 13, :2], atol=0.01)
