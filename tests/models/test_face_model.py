"""The face model class and the bundled model's mesh."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kernels.rasterizer import Rasterizer
from models.camera import Camera, project, transform
from models.errors import FaceModelError
from models.face_model import BUNDLED, FaceModel


@pytest.fixture(scope="module")
def face() -> FaceModel:
    return FaceModel.tracked()


def borders(triangles: np.ndarray) -> list[int]:
    """Lengths of the loops of edges that have one triangle only; no edge may be used twice in one direction."""
    edges = Counter((int(t[k]), int(t[k - 2])) for t in triangles for k in range(3))
    assert max(edges.values()) == 1
    following = {a: b for a, b in edges if (b, a) not in edges}
    assert len(following) == sum((b, a) not in edges for a, b in edges)  # no two borders meet in a vertex
    lengths = []
    while following:
        start, here = following.popitem()
        length = 1
        while here != start:
            here, length = following.pop(here), length + 1
        lengths.append(length)
    return sorted(lengths)


def opened(face: FaceModel, gap: float) -> np.ndarray:
    """The likeliest shape with inner lips `gap` cm further apart than in the neutral one."""
    opening = face.expression[:, 13, 1] - face.expression[:, 14, 1]
    likely = face.expression_scale**2 * opening
    return face.shape(None, likely * (gap / (opening @ likely)))


def mouth_pixels(face: FaceModel, shape: np.ndarray, yaw: float = 0.0) -> int:
    """How many of 200 × 200 pixels (about 1 mm each) show the layer behind the lips."""
    camera = Camera(1000.0, 100.0, 100.0, 200, 200)
    view = project(camera, transform(shape, np.array([0, yaw, 0], np.float32), np.array([0, 6, -100], np.float32)))
    flags = np.isin(np.arange(len(shape)), face.regions["inner_mouth"]).astype(np.float32)[:, None]
    picture = np.zeros((200, 200, 1), np.float32)
    Rasterizer(200, 200, face.triangles).draw(view.astype(np.float32), flags, picture)
    return int((picture > 0.5).sum())


class TestBundled:
    def test_sizes(self, face: FaceModel):
        assert face.expression.shape[0] == 48
        assert 2000 <= len(face.mean) <= 4000
        assert len(face.identity) >= 20
        assert BUNDLED.stat().st_size < 5e6
        assert face.licence == "Apache-2.0"
        assert {name for name, ids in face.regions.items() if ids.size} >= {"lips", "lower_face", "inner_mouth", "eyes"}

    def test_every_surface_point_of_the_tracker_is_a_landmark(self, face: FaceModel):
        assert (face.landmarks[:, 0] == np.arange(468)).all()

    def test_the_surface_has_three_borders_and_no_crack(self, face: FaceModel):
        """The face's rim, the mouth's hole and the rim of the layer behind it."""
        assert len(borders(face.triangles)) == 3
        assert set(face.triangles.ravel().tolist()) == set(range(len(face.mean)))

    def test_triangles_face_outwards(self, face: FaceModel):
        layer = np.isin(face.triangles, face.regions["inner_mouth"]).any(1)
        a, b, c = face.mean[face.triangles[~layer]].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        outwards = (normal * ((a + b + c) / 3 - [0, -4, -9])).sum(1) > 0
        assert outwards.mean() > 0.98  # nostrils and lip corners fold

    def test_left_is_left_and_up_is_up(self, face: FaceModel):
        right_eye, left_eye, forehead, chin, nose = face.mean[[33, 263, 10, 152, 1]]
        assert right_eye[0] < -3
        assert left_eye[0] > 3
        assert forehead[1] > 2
        assert chin[1] < -10
        assert nose[2] > 3

    def test_the_mean_is_symmetric(self, face: FaceModel):
        tracked = face.mean[:468]
        mirrored = tracked * np.array([-1, 1, 1], np.float32)
        nearest = np.linalg.norm(tracked[:, None] - mirrored, axis=-1).min(1)
        assert nearest.max() < 1e-3

    def test_the_layer_behind_the_lips_shows_through_the_open_mouth_only(self, face: FaceModel):
        closed = mouth_pixels(face, face.mean)
        assert closed < 60  # the tracker's closed lips are half a millimetre apart
        for yaw in (-0.5, 0.0, 0.5):
            assert mouth_pixels(face, opened(face, 1.5), yaw) > 5 * max(closed, 20)

    def test_components_are_sorted_and_uv_in_range(self, face: FaceModel):
        assert (np.diff(face.expression_scale) <= 0).all()
        assert face.uv.min() >= 0
        assert face.uv.max() <= 1


class TestShape:
    def test_is_linear_and_broadcasts(self, face: FaceModel):
        rng = np.random.default_rng(0)
        identity = rng.normal(size=len(face.identity)).astype(np.float32)
        expression = rng.normal(size=(2, 5, 48)).astype(np.float32) * face.expression_scale
        shapes = face.shape(identity, expression)
        assert shapes.shape == (2, 5, len(face.mean), 3)
        neutral = face.mean + np.tensordot(identity, face.identity, 1)
        expected = neutral + np.tensordot(expression[1, 3], face.expression, 1)
        np.testing.assert_allclose(shapes[1, 3], expected, atol=1e-4)

    def test_personalise_moves_the_identity_into_the_mean(self, face: FaceModel):
        identity = np.linspace(-1, 1, len(face.identity), dtype=np.float32)
        offsets = np.full_like(face.mean, 0.1)
        person = face.personalise(identity, offsets)
        rest = np.zeros(48, np.float32)
        np.testing.assert_allclose(person.shape(None, rest), face.shape(identity, rest) + 0.1, atol=1e-5)
        assert len(person.identity) == 0


class TestFile:
    def test_round_trip(self, face: FaceModel, tmp_path: Path):
        face.save(tmp_path / "face.safetensors")
        again = FaceModel.load(tmp_path / "face.safetensors")
        for name in ("mean", "identity", "expression", "expression_scale", "triangles", "uv", "landmarks"):
            np.testing.assert_array_equal(getattr(again, name), getattr(face, name))
        assert again.expression_names == face.expression_names
        assert again.regions.keys() == face.regions.keys()
        assert [path.name for path in tmp_path.iterdir()] == ["face.safetensors"]

    def test_missing(self, tmp_path: Path):
        with pytest.raises(FaceModelError, match="No face model at"):
            FaceModel.load(tmp_path / "face.safetensors")

    def test_not_a_safetensors_file(self, tmp_path: Path):
        path = tmp_path / "face.safetensors"
        path.write_bytes(b"solid nonsense" * 100)
        with pytest.raises(FaceModelError, match="not a face model or is damaged"):
            FaceModel.load(path)

    @pytest.mark.parametrize(
        ("metadata", "message"),
        [
            (None, "not a face model of ours"),
            ({"format": "marotte-face", "version": "2"}, "format 2; this program reads 1"),
            ({"format": "marotte-face", "version": "1"}, "lacks mean"),
        ],
    )
    def test_foreign_newer_or_incomplete(self, tmp_path: Path, metadata: dict[str, str] | None, message: str):
        path = tmp_path / "face.safetensors"
        save_file({"other": np.zeros(3, np.float32)}, path, metadata)
        with pytest.raises(FaceModelError, match=message):
            FaceModel.load(path)

    def test_arrays_that_do_not_fit_together(self, face: FaceModel, tmp_path: Path):
        tensors, metadata = face.packed()
        path = tmp_path / "face.safetensors"
        for change, message in (
            ({"triangles": face.triangles + 1}, "triangles names vertices outside"),
            ({"uv": face.uv[:-1]}, "uv is float32"),
            ({"mean": np.full_like(face.mean, np.nan)}, "not finite"),
        ):
            save_file(tensors | change, path, metadata)
            with pytest.raises(FaceModelError, match=message):
                FaceModel.load(path)
