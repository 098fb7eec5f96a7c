"""Readers of the ICT and Basel face models, on the real files where they are present, and on spoilt ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from models.errors import FaceModelError
from models.face_files import inside, outward, read_mat
from models.face_model import FaceModel

SHARED = Path(__file__).parents[2] / "../shared"
ICT, BASEL_INDICES = SHARED / "data/ict/ict_light.npz", SHARED / "data/bfm_aux"
MAKE_BASEL = SHARED / "tools/make_synthetic_bfm.py"


def small_ict(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """An .npz of the right layout: 68 vertices on a dome, two triangles."""
    rng = np.random.default_rng(0)
    arrays = {
        "mean": rng.normal(size=(68, 3)).astype(np.float32),
        "uv": rng.random((70, 2)).astype(np.float32),
        "tri": np.array([[0, 1, 2], [2, 1, 3]], np.int32),
        "tri_uv": np.array([[0, 1, 2], [2, 1, 69]], np.int32),
        "identity": np.zeros((2, 68, 3), np.float32),
        "expression": np.zeros((1, 68, 3), np.float32),
        "expression_names": np.array(["jawOpen"]),
        "landmarks68": np.arange(68, dtype=np.int32),
    }
    return arrays | changes


@pytest.fixture(scope="module")
def face() -> FaceModel:
    if not ICT.is_file():
        pytest.skip("ICT-FaceKit absent: ../shared/data is not part of the project")
    return FaceModel.ict(ICT)


class TestIct:
    def test_sizes_and_names(self, face: FaceModel):
        assert face.mean.shape == (26_719, 3)
        assert face.identity.shape[0] == 100
        assert len(face.triangles) == 52_220
        assert {"jawOpen", "mouthPucker", "mouthSmile_L"} <= set(face.expression_names)
        assert face.licence.startswith("MIT")

    def test_jaw_opens_the_lips_and_lowers_the_chin(self, face: FaceModel):
        jaw = face.expression[face.expression_names.index("jawOpen")]
        vertex = dict(face.landmarks.tolist())
        assert jaw[vertex[152], 1] < -2
        assert jaw[vertex[13], 1] - jaw[vertex[14], 1] > 2

    def test_left_is_left(self, face: FaceModel):
        vertex = dict(face.landmarks.tolist())
        assert face.mean[vertex[33], 0] < -3 < 3 < face.mean[vertex[263], 0]
        smile = face.expression[face.expression_names.index("mouthSmile_L")]
        assert np.linalg.norm(smile[vertex[291]]) > 5 * np.linalg.norm(smile[vertex[61]])

    def test_regions(self, face: FaceModel):
        lips = face.mean[face.regions["lips"]]
        assert 300 < len(lips) < 3000
        assert np.ptp(lips[:, 0]) == pytest.approx(5, abs=1)
        assert len(face.regions["inner_mouth"]) > 5000
        assert face.mean[face.regions["eyes"], 0].max() > 3 > -3 > face.mean[face.regions["eyes"], 0].min()

    def test_survives_our_own_file(self, face: FaceModel, tmp_path: Path):
        person = face.personalise(np.zeros(100, np.float32))
        person.save(tmp_path / "face.safetensors")
        assert FaceModel.load(tmp_path / "face.safetensors").expression_names == face.expression_names


class TestSpoiltIct:
    def test_small_file_of_the_right_layout_loads(self, tmp_path: Path):
        np.savez(tmp_path / "ict.npz", **small_ict())
        assert FaceModel.ict(tmp_path / "ict.npz").name == "ict"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"mean": np.zeros((68, 2), np.float32)}, "'mean' has shape"),
            ({"identity": np.zeros((2, 67, 3), np.float32)}, "'identity' has shape"),
            ({"tri": np.array([[0, 1, 68], [0, 1, 2]], np.int32)}, "tri holds numbers outside"),
            ({"landmarks68": np.full(68, -1)}, "landmarks68 holds numbers outside"),
        ],
    )
    def test_other_shapes(self, tmp_path: Path, changes: dict[str, np.ndarray], message: str):
        np.savez(tmp_path / "ict.npz", **small_ict(**changes))
        with pytest.raises(FaceModelError, match=message):
            FaceModel.ict(tmp_path / "ict.npz")

    def test_key_missing(self, tmp_path: Path):
        arrays = small_ict()
        del arrays["expression"]
        np.savez(tmp_path / "ict.npz", **arrays)
        with pytest.raises(FaceModelError, match="lacks 'expression'"):
            FaceModel.ict(tmp_path / "ict.npz")

    def test_pickled_objects_are_not_unpickled(self, tmp_path: Path):
        np.savez(tmp_path / "ict.npz", **small_ict(mean=np.array([{"a": 1}], object)))
        with pytest.raises(FaceModelError, match="plain arrays"):
            FaceModel.ict(tmp_path / "ict.npz")

    def test_missing_and_foreign(self, tmp_path: Path):
        with pytest.raises(FaceModelError, match="No ICT face model"):
            FaceModel.ict(tmp_path / "ict.npz")
        (tmp_path / "ict.npz").write_bytes(b"PK nothing of the kind")
        with pytest.raises(FaceModelError, match=r"not an \.npz file"):
            FaceModel.ict(tmp_path / "ict.npz")


@pytest.fixture(scope="module")
def basel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the random stand-in of the Basel model and the real index files."""
    if not (MAKE_BASEL.is_file() and BASEL_INDICES.is_dir()):
        pytest.skip("Basel index files and stand-in absent: ../shared is not part of the project")
    folder = tmp_path_factory.mktemp("basel")
    subprocess.run([sys.executable, MAKE_BASEL, folder], check=True, capture_output=True)
    for path in BASEL_INDICES.iterdir():
        shutil.copyfile(path, folder / path.name)
    return folder


@pytest.mark.slow
class TestBasel:
    def test_sizes_units_and_landmarks(self, basel: Path):
        face = FaceModel.bfm2009(basel)
        assert face.mean.shape == (35_709, 3)
        assert face.identity.shape == (80, 35_709, 3)
        assert face.expression.shape == (64, 35_709, 3)
        assert face.triangles.shape == (70_789, 3)
        assert 14 < np.ptp(face.mean[:, 0]) < 16  # the stand-in's ellipsoid is 15 cm wide
        assert len(face.landmarks) == 68
        assert {13, 14} <= set(face.landmarks[:, 0].tolist())

    def test_truncated_expressions(self, basel: Path, tmp_path: Path):
        for path in basel.iterdir():
            (tmp_path / path.name).symlink_to(path)
        (tmp_path / "Exp_Pca.bin").unlink()
        (tmp_path / "Exp_Pca.bin").write_bytes((basel / "Exp_Pca.bin").read_bytes()[:1_000_000])
        with pytest.raises(FaceModelError, match="1,000,000 bytes, expected 51,086,404"):
            FaceModel.bfm2009(tmp_path)


class TestSpoiltBasel:
    def test_missing_files_are_named(self, tmp_path: Path):
        (tmp_path / "std_exp.txt").write_text("1 2 3")
        with pytest.raises(FaceModelError, match=r"lacks 01_MorphableModel.mat, Exp_Pca.bin, BFM_exp_idx.mat"):
            FaceModel.bfm2009(tmp_path)

    def test_not_matlab(self, tmp_path: Path):
        (tmp_path / "x.mat").write_bytes(b"x" * 1000)
        with pytest.raises(FaceModelError, match="not a MATLAB version 5 file"):
            read_mat(tmp_path / "x.mat", {"idx": ("N", 1)})

    def test_other_shape_or_key(self, tmp_path: Path):
        savemat(tmp_path / "x.mat", {"idx": np.ones((3, 2))})
        with pytest.raises(FaceModelError, match=r"'idx' has shape \(3, 2\)"):
            read_mat(tmp_path / "x.mat", {"idx": (3, 1)})
        with pytest.raises(FaceModelError, match="lacks 'tri'"):
            read_mat(tmp_path / "x.mat", {"tri": ("F", 3)})

    def test_a_struct_is_no_array_of_numbers(self, tmp_path: Path):
        savemat(tmp_path / "x.mat", {"idx": {"a": 1.0}})
        with pytest.raises(FaceModelError, match="expected numbers"):
            read_mat(tmp_path / "x.mat", {"idx": (1, 1)})


def test_triangles_are_turned_to_look_forward():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], np.float32)
    for order in ([0, 1, 2], [2, 1, 0]):
        a, b, c = square[outward(square, np.array([order]))[0]]
        assert np.cross(b - a, c - a)[2] > 0


def test_inside_a_contour():
    points = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [1, 1, 5], [3, 1, 0], [1, -1, 0]], np.float32)
    assert inside(points, np.arange(4)).tolist() == [True] * 5 + [False] * 2
