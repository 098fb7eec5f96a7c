"""Readers of other people's face models: ICT-FaceKit Light (.npz) and the Basel Face Model 2009 (.mat, .bin, .txt).

Both come as numbers only: .npz is read without pickle, .mat version 5 by scipy, which runs nothing. Units become
centimetres, axes ours, with the origin at the centre of the rigid landmarks, as in the bundled model.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int
from numpy.typing import NDArray

from models.errors import FaceModelError, MissingExtraError
from models.face_model import FaceModel

# The tracker's points nearest to the 68 landmarks of the Multi-PIE scheme, which both models name: jaw 0-16 from the
# person's right, brows 17-26, nose 27-35, eyes 36-47, outer lips 48-59, inner lips 60-67.
MULTI_PIE = np.array([
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
])  # fmt: skip
RIGID = [27, 28, 36, 39, 42, 45, 0, 16]
NOSE_BASE, RIGHT_EYE, LEFT_EYE, OUTER_LIPS = 33, slice(36, 42), slice(42, 48), slice(48, 60)
LIP_DEPTH = 2.0  # cm behind the lips' landmarks that may still be lip

ICT_KEYS = {
    "mean": ("V", 3), "uv": ("U", 2), "tri": ("F", 3), "tri_uv": ("F", 3), "identity": ("I", "V", 3),
    "expression": ("K", "V", 3), "expression_names": ("K",), "landmarks68": (68,),
}  # fmt: skip
ICT_SKIN, ICT_MOUTH, ICT_EYES = (0, 9409), (11248, 21451), (21451, 24591)
"""Vertex ranges of the face, of mouth socket, gums, tongue and teeth, and of the eyeballs."""
ICT_SIZE = 0.25  # what people use of an expression shape that is defined on 0..1

BASEL_IDENTITY, BASEL_EXPRESSION = 80, 64  # of 199 and 79, as everybody uses them
BASEL_FULL, BASEL_TRIMMED, BASEL_FRONT = 53_490, 53_215, 35_709
MICROMETRES = 1e-4  # in cm
BASEL_FILES = (
    "01_MorphableModel.mat", "Exp_Pca.bin", "std_exp.txt",
    "BFM_exp_idx.mat", "BFM_front_idx.mat", "facemodel_info.mat",
)  # fmt: skip


def read_ict(path: Path) -> FaceModel:
    """ICT-FaceKit Light from the packed .npz (26,719 vertices, 100 identity modes, named expressions).

    Raises FaceModelError for a file that is missing, no .npz, or has other keys or shapes.
    """
    if not path.is_file():
        raise FaceModelError(f"No ICT face model at {path}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {key: file[key] for key in ICT_KEYS if key in file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FaceModelError(f"{path} is not an .npz file of plain arrays ({error}).") from error
    check_shapes(data, ICT_KEYS, path)
    check_range(data["tri"], len(data["mean"]), f"{path}: tri")
    check_range(data["landmarks68"], len(data["mean"]), f"{path}: landmarks68")
    check_range(data["tri_uv"], len(data["uv"]), f"{path}: tri_uv")
    landmarks = data["landmarks68"].astype(np.int64)
    mean = centred(data["mean"], landmarks)
    uv = np.zeros((len(mean), 2), np.float32)
    uv[data["tri"]] = data["uv"][data["tri_uv"]]  # a vertex on a seam keeps one of its places
    regions = face_regions(mean, landmarks, in_range(len(mean), ICT_SKIN))
    regions["inner_mouth"] = vertex_numbers(in_range(len(mean), ICT_MOUTH))
    regions["eyes"] = np.union1d(regions["eyes"], vertex_numbers(in_range(len(mean), ICT_EYES))).astype(np.int32)
    return FaceModel(
        name="ict",
        licence="MIT, Copyright (c) 2020 USC Institute for Creative Technologies",
        mean=mean,
        identity=data["identity"].astype(np.float32),
        expression=data["expression"].astype(np.float32),
        expression_names=tuple(data["expression_names"].tolist()),
        expression_scale=np.full(len(data["expression"]), ICT_SIZE, np.float32),
        triangles=outward(mean, data["tri"]),
        uv=np.stack([uv[:, 0] % 1, 1 - uv[:, 1]], 1),
        regions=regions,
        landmarks=np.stack([MULTI_PIE, landmarks], 1).astype(np.int32),
    )


def read_bfm2009(folder: Path) -> FaceModel:
    """Basel Face Model 2009 with the expressions of Guo et al., cut to the front as AudioDVP and Deep3D do.

    `folder` holds 01_MorphableModel.mat, Exp_Pca.bin and std_exp.txt and the index files BFM_exp_idx.mat,
    BFM_front_idx.mat and facemodel_info.mat. Coefficients are in standard deviations.

    Raises FaceModelError for missing or unexpected files, MissingExtraError without scipy.
    """
    absent = [name for name in BASEL_FILES if not (folder / name).is_file()]
    if absent:
        raise FaceModelError(f"The Basel model in {folder} lacks {', '.join(absent)}.")
    trim = read_mat(folder / "BFM_exp_idx.mat", {"trimIndex": (BASEL_TRIMMED, 1)})["trimIndex"].ravel().astype(int) - 1
    front = read_mat(folder / "BFM_front_idx.mat", {"idx": (BASEL_FRONT, 1)})["idx"].ravel().astype(int) - 1
    check_range(trim, BASEL_FULL, "trimIndex")
    check_range(front, BASEL_TRIMMED, "idx")
    chosen = trim[front]
    info = read_mat(folder / "facemodel_info.mat", {"tri": ("F", 3), "keypoints": (1, 68)})
    triangles, landmarks = info["tri"].astype(np.int64) - 1, info["keypoints"].ravel().astype(np.int64) - 1
    check_range(triangles, BASEL_FRONT, "tri")
    check_range(landmarks, BASEL_FRONT, "keypoints")
    rows = 3 * BASEL_FULL
    path = folder / "01_MorphableModel.mat"
    basel = read_mat(path, {"shapeMU": (rows, 1), "shapePC": (rows, "C"), "shapeEV": ("C", 1)})
    modes = (basel["shapePC"] * basel["shapeEV"].T)[:, :BASEL_IDENTITY].T.reshape(-1, BASEL_FULL, 3)[:, chosen]
    mean = centred(basel["shapeMU"].reshape(-1, 3)[chosen].astype(np.float64) * MICROMETRES, landmarks)
    expression = read_expressions(folder)[:, front]
    skin = np.ones(len(mean), bool)
    return FaceModel(
        name="bfm2009",
        licence="Basel Face Model licence: research only, the user's own copy",
        mean=mean,
        identity=(modes * MICROMETRES).astype(np.float32),
        expression=(expression * MICROMETRES).astype(np.float32),
        expression_names=tuple(f"basel_{number:02d}" for number in range(len(expression))),
        expression_scale=np.ones(len(expression), np.float32),
        triangles=outward(mean, triangles),
        uv=frontal_uv(mean),
        regions=face_regions(mean, landmarks, skin) | {"inner_mouth": np.zeros(0, np.int32)},
        landmarks=np.stack([MULTI_PIE, landmarks], 1).astype(np.int32),
    )


def read_expressions(folder: Path) -> Float32[NDArray[np.float32], "K V 3"]:
    """Exp_Pca.bin (int32 count, float32 mean, float32 components in turn) times std_exp.txt, in micrometres."""
    path, rows = folder / "Exp_Pca.bin", 3 * BASEL_TRIMMED
    count = int(np.fromfile(path, "<i4", 1)[0]) if path.stat().st_size >= 4 else 0
    if count < BASEL_EXPRESSION or path.stat().st_size != 4 + 4 * rows * (1 + count):
        raise FaceModelError(f"{path} has {path.stat().st_size:,} bytes, expected 51,086,404; get the file again.")
    basis = np.fromfile(path, "<f4", BASEL_EXPRESSION * rows, offset=4 + 4 * rows)
    try:
        deviations = np.array((folder / "std_exp.txt").read_text("ascii").split(), np.float32)
    except ValueError as error:
        raise FaceModelError(f"{folder / 'std_exp.txt'} does not hold numbers only ({error}).") from error
    if len(deviations) < BASEL_EXPRESSION:
        raise FaceModelError(f"{folder / 'std_exp.txt'} holds {len(deviations)} numbers, expected {count}.")
    return basis.reshape(-1, BASEL_TRIMMED, 3) * deviations[:BASEL_EXPRESSION, None, None]


def read_mat(path: Path, shapes: dict[str, tuple[int | str, ...]]) -> dict[str, NDArray[Any]]:
    """The named numeric arrays of a MATLAB version 5 file, their shapes checked."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise MissingExtraError("Reading the Basel face model", "calibrate") from error
    try:
        data = loadmat(path, variable_names=list(shapes), mat_dtype=False)
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError, EOFError) as error:
        raise FaceModelError(f"{path} is not a MATLAB version 5 file ({error}); get the file again.") from error
    arrays = {key: data[key] for key in shapes if key in data}
    check_shapes(arrays, shapes, path)
    return arrays


def check_shapes(arrays: dict[str, NDArray[Any]], shapes: dict[str, Any], path: Path) -> None:
    """Compare arrays with named shapes; a letter stands for any length, the same wherever it appears."""
    lengths: dict[str, int] = {}
    for key, shape in shapes.items():
        if key not in arrays:
            raise FaceModelError(f"{path} lacks '{key}'; it holds {', '.join(sorted(arrays)) or 'none of the keys'}.")
        found = arrays[key].shape
        wanted = tuple(lengths.get(size, size) for size in shape)
        if len(found) != len(wanted) or any(isinstance(b, int) and a != b for a, b in zip(found, wanted, strict=True)):
            raise FaceModelError(f"{path}: '{key}' has shape {found}, expected {wanted}.")
        if arrays[key].dtype.kind not in "fiuU":
            raise FaceModelError(f"{path}: '{key}' holds {arrays[key].dtype}, expected numbers.")
        lengths |= {size: length for size, length in zip(shape, found, strict=True) if isinstance(size, str)}


def check_range(numbers: NDArray[Any], limit: int, name: str) -> None:
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < limit):
        raise FaceModelError(f"{name} holds numbers outside its range of {limit}; get the file again.")


def centred(mean: NDArray[Any], landmarks: Int[np.ndarray, "68"]) -> Float32[NDArray[np.float32], "V 3"]:
    """The mean with the centre of the rigid landmarks at the origin."""
    return (mean - mean[landmarks[RIGID]].mean(0)).astype(np.float32)


def outward(mean: Float32[NDArray[np.float32], "V 3"], triangles: Int[np.ndarray, "F 3"]) -> NDArray[np.int32]:
    """Triangles counter-clockwise from outside: those of a face, which is open behind, look forward on the whole."""
    a, b, c = mean[triangles].transpose(1, 0, 2)
    forward = np.cross(b - a, c - a)[:, 2].sum() > 0
    return np.ascontiguousarray(triangles if forward else triangles[:, ::-1], np.int32)


def frontal_uv(mean: Float32[NDArray[np.float32], "V 3"]) -> Float32[NDArray[np.float32], "V 2"]:
    """A cylinder's unwrapping about a vertical axis inside the head, for models that bring none."""
    angle = np.arctan2(mean[:, 0], mean[:, 2] - mean[:, 2].min() + 1)
    plane = np.stack([angle, -mean[:, 1]], 1)
    low, high = plane.min(0), plane.max(0)
    return ((plane - low) / np.maximum(high - low, 1e-9)).astype(np.float32)


def face_regions(
    mean: Float32[NDArray[np.float32], "V 3"], landmarks: Int[np.ndarray, "68"], skin: Bool[np.ndarray, "V"]
) -> dict[str, NDArray[np.int32]]:
    """Lips, eyes and lower face of the skin, from the landmarks' contours seen from the front."""
    front = mean[:, 2] > mean[landmarks[OUTER_LIPS], 2].min() - LIP_DEPTH
    eyes = inside(mean, landmarks[RIGHT_EYE]) | inside(mean, landmarks[LEFT_EYE])
    return {
        "lips": vertex_numbers(inside(mean, landmarks[OUTER_LIPS]) & front & skin),
        "eyes": vertex_numbers(eyes & skin & (mean[:, 2] > mean[landmarks[RIGID], 2].min())),
        "lower_face": vertex_numbers((mean[:, 1] < mean[landmarks[NOSE_BASE], 1]) & skin),
    }


def inside(mean: Float32[NDArray[np.float32], "V 3"], contour: Int[np.ndarray, "C"]) -> Bool[np.ndarray, "V"]:
    """Whether vertices lie in a contour of vertices or on it, seen from the front (even-odd rule)."""
    x, y = mean[:, 0], mean[:, 1]
    crossings = np.zeros(len(mean), bool)
    for (x0, y0), (x1, y1) in zip(mean[contour, :2], mean[np.roll(contour, -1), :2], strict=True):
        if y0 != y1:
            crossings ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    crossings[contour] = True
    return crossings


def in_range(count: int, limits: tuple[int, int]) -> Bool[np.ndarray, "V"]:
    return (np.arange(count) >= limits[0]) & (np.arange(count) < limits[1])


def vertex_numbers(chosen: Bool[np.ndarray, "V"]) -> NDArray[np.int32]:
    return np.flatnonzero(chosen).astype(np.int32)
