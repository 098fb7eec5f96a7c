"""The script that computes the bundled model, on made-up people whose motion is known."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from face_clips import made_up_clip

from models.face_model import FaceModel
from models.training import build_tracked
from models.training.heads import Person, mean_faces, mirrored_points, read_clip, read_person, similarity
from models.training.tracked_mesh import OUTLINE, build_surface, subdivide

SEEDS = range(3)


@pytest.fixture(scope="module")
def face() -> FaceModel:
    return FaceModel.tracked()


@pytest.fixture(scope="module")
def people(face: FaceModel) -> list[Person]:
    return [read_clip(made_up_clip(face, seed, 60, own=0.1).track) for seed in SEEDS]


class TestHeads:
    def test_similarity_is_found_again(self):
        rng = np.random.default_rng(0)
        goal = rng.normal(size=(20, 3))
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        rotation, scale, shift = similarity((goal @ turn * 2.5 + 7)[None], goal)
        np.testing.assert_allclose(rotation[0], turn.T, atol=1e-9)
        assert scale[0] == pytest.approx(0.4)
        np.testing.assert_allclose((goal @ turn * 2.5 + 7) @ rotation[0] * scale[0] + shift[0], goal, atol=1e-9)

    def test_every_point_has_a_partner_on_the_other_side(self, people: list[Person]):
        partner = mirrored_points(people[0].opened)
        assert partner[[33, 61, 78, 468]].tolist() == [263, 291, 308, 473]
        assert partner[[1, 13, 14, 152]].tolist() == [1, 13, 14, 152]

    def test_several_clips_of_a_person_count_as_one(self, face: FaceModel):
        tracks = [made_up_clip(face, 0, 30).track, made_up_clip(face, 0, 40).track]
        assert len(read_person(tracks).motion) == 70

    def test_mean_face_is_symmetric_with_closed_lips(self, people: list[Person]):
        closed, opened, partner = mean_faces(people)
        np.testing.assert_allclose(closed[partner] * [-1, 1, 1], closed, atol=1e-9)
        assert closed[13, 1] - closed[14, 1] < opened[13, 1] - opened[14, 1]
        assert np.linalg.norm(closed[468] - closed[473]) == pytest.approx(6.3, rel=0.02)


class TestMesh:
    def test_loop_subdivision_of_a_tetrahedron(self):
        triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
        finer, refine, parents = subdivide(triangles)
        assert finer.shape == (16, 3)
        assert refine.shape == (10, 4)
        np.testing.assert_allclose(refine.sum(1), 1)
        np.testing.assert_allclose(refine[0], [7 / 16, 3 / 16, 3 / 16, 3 / 16])  # three neighbours
        np.testing.assert_allclose(sorted(refine[4]), [1 / 8, 1 / 8, 3 / 8, 3 / 8])
        assert parents[:4].tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]

    def test_the_surface_passes_through_the_points(self, people: list[Person]):
        closed, opened, partner = mean_faces(people)
        surface = build_surface(closed[:468], opened[:468], partner[:468])
        vertices = surface.weights @ closed[:468] + surface.offset
        np.testing.assert_allclose(vertices[:468], closed[:468], atol=1e-9)
        edges = {tuple(edge) for edge in surface.edges.tolist()}
        assert all((min(a, b), max(a, b)) in edges for a, b in pairwise(OUTLINE))


class TestModel:
    def test_basis_spans_the_motion_of_its_people(self, face: FaceModel, people: list[Person]):
        model = build_tracked.build(people)
        assert model.expression.shape == face.expression.shape
        assert model.triangles.shape[0] == pytest.approx(len(face.triangles), rel=0.02)
        for number in SEEDS:
            correlation, error = build_tracked.kept(people, number)
            assert correlation > 0.97
            assert error < 1.0

    def test_basis_is_orthonormal_in_its_metric_and_symmetric(self, people: list[Person]):
        closed, _, partner = mean_faces(people)
        weights = build_tracked.point_weights(closed)
        basis, scale = build_tracked.expression_basis([person.motion for person in people], partner, weights)
        np.testing.assert_allclose(np.einsum("kpx,lpx,px->kl", basis, basis, weights), np.eye(48), atol=1e-6)
        assert (np.diff(scale) <= 0).all()
        mirrored = basis[:, partner[:468]] * [-1, 1, 1]
        like = np.abs(np.einsum("kpx,kpx,px->k", basis, mirrored, weights))
        assert like[:6].min() > 0.99  # each component is its own mirror image, or the opposite of it


class TestCommand:
    def test_writes_the_model(self, face: FaceModel, tmp_path: Path):
        for seed in SEEDS:
            made_up_clip(face, seed, 40, own=0.1).track.save(tmp_path / f"{seed}.npz")
        clips = [f"{tmp_path}/0.npz,{tmp_path}/1.npz", f"{tmp_path}/2.npz"]
        assert build_tracked.main([*clips, "--out", str(tmp_path / "face.safetensors")]) == 0
        assert FaceModel.load(tmp_path / "face.safetensors").name == "tracked"

    def test_missing_clip(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        assert build_tracked.main([str(tmp_path / "absent.mp4"), "--out", str(tmp_path / "face.safetensors")]) == 2
        assert "absent.mp4" in capsys.readouterr().err
        assert not (tmp_path / "face.safetensors").exists()
