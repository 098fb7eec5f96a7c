"""The face as a linear model: shape = mean + identity basis + expression basis, on one triangle mesh.

Letters: V vertices, F triangles, I identity and K expression coefficients, M landmarks. Lengths are centimetres in the
head frame of conventions.md. Where the numbers come from is the readers' matter (face_files.py); a model of any source,
personal or not, is stored as one safetensors file.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.errors import FaceModelError

FORMAT = "marotte-face"
VERSION = "1"
TRACKER_POINTS = 478
REGIONS = ("lips", "lower_face", "inner_mouth", "eyes")
BUNDLED = Path(__file__).parent / "bundled" / "face.safetensors"

Vertices = Float32[NDArray[np.float32], "V 3"]


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A morphable face."""

    name: str
    licence: str
    mean: Vertices
    """Neutral shape: lips at rest, closed."""
    identity: Float32[NDArray[np.float32], "I V 3"]
    """Displacement by one standard deviation of each identity coefficient; I = 0 once personalised."""
    expression: Float32[NDArray[np.float32], "K V 3"]
    """Displacement by one unit of each expression coefficient."""
    expression_names: tuple[str, ...]
    expression_scale: Float32[NDArray[np.float32], "K"]
    """Typical size (standard deviation in speech) of each expression coefficient; 1 where unknown."""
    triangles: Int32[NDArray[np.int32], "F 3"]
    """Counter-clockwise seen from outside."""
    uv: Float32[NDArray[np.float32], "V 2"]
    """Unwrapped surface, 0..1, v down as in a picture."""
    regions: dict[str, Int32[NDArray[np.int32], "_"]]
    """Vertex numbers of at least lips, lower_face, inner_mouth (the layer behind the lips) and eyes."""
    landmarks: Int32[NDArray[np.int32], "M 2"]
    """(tracker point 0..477, vertex): where the tracker's points lie on the mesh."""

    def shape(
        self, identity: Float32[NDArray[np.float32], "I"] | None, expression: Float32[NDArray[np.float32], "*B K"]
    ) -> Float32[NDArray[np.float32], "*B V 3"]:
        """Vertices in centimetres, head frame; identity None means the mean person."""
        neutral = self.mean if identity is None else self.mean + np.tensordot(identity, self.identity, 1)
        basis = self.expression.reshape(len(self.expression), -1)
        return (expression @ basis).reshape(*expression.shape[:-1], *neutral.shape) + neutral

    def personalise(self, identity: Float32[NDArray[np.float32], "I"], offsets: Vertices | None = None) -> FaceModel:
        """The model of one person: its mean is that person's neutral face (plus free offsets), without identity."""
        neutral = self.mean + np.tensordot(identity, self.identity, 1)
        if offsets is not None:
            neutral = neutral + offsets
        return replace(self, mean=neutral.astype(np.float32), identity=self.identity[:0])

    def packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Tensors and metadata of the file format, for files that hold a face and more."""
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS}
        tensors |= {f"region.{name}": np.ascontiguousarray(ids) for name, ids in self.regions.items()}
        return tensors, {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "licence": self.licence,
            "expression_names": json.dumps(self.expression_names),
        }

    @classmethod
    def unpacked(cls, tensors: dict[str, NDArray[Any]], metadata: dict[str, str], path: Path) -> FaceModel:
        """What `packed` gave. Raises FaceModelError for a foreign, newer or incomplete file (`path`)."""
        if metadata.get("format") != FORMAT:
            raise FaceModelError(f"{path} is a safetensors file but not a face model of ours.")
        if metadata.get("version") != VERSION:
            version = metadata.get("version")
            raise FaceModelError(f"{path} has face model format {version}; this program reads {VERSION}: update it.")
        fault = _fault(tensors, json.loads(metadata.get("expression_names", "[]")))
        if fault:
            raise FaceModelError(f"{path} cannot be used: {fault}; get the file again.")
        return cls(
            name=metadata["name"],
            licence=metadata["licence"],
            expression_names=tuple(json.loads(metadata["expression_names"])),
            regions={name: tensors[f"region.{name}"] for name in _region_names(tensors)},
            **{name: tensors[name] for name in _TENSORS},
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file; nothing half-written is left under `path`."""
        write_tensors(path, *self.packed())

    @classmethod
    def load(cls, path: Path) -> FaceModel:
        """Read what `save` wrote. Raises FaceModelError for a missing, foreign, newer or damaged file."""
        return cls.unpacked(*read_tensors(path), path)

    @classmethod
    def tracked(cls) -> FaceModel:
        """The bundled model over the tracker's points; computed by training/build_tracked.py."""
        return cls.load(BUNDLED)

    @classmethod
    def ict(cls, path: Path) -> FaceModel:
        """ICT-FaceKit Light from its packed .npz; see face_files.read_ict."""
        from models.face_files import read_ict

        return read_ict(path)

    @classmethod
    def bfm2009(cls, folder: Path) -> FaceModel:
        """Basel Face Model 2009 from the folder with its files; see face_files.read_bfm2009."""
        from models.face_files import read_bfm2009

        return read_bfm2009(folder)


_TENSORS = ("mean", "identity", "expression", "expression_scale", "triangles", "uv", "landmarks")


def write_tensors(path: Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Write a safetensors file beside its place, then move it there."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        save_file(tensors, temporary, metadata)
        os.chmod(temporary, 0o644)  # mkstemp made it private
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a safetensors file. Raises FaceModelError when there is none or it is damaged."""
    if not path.is_file():
        raise FaceModelError(f"No face model at {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise FaceModelError(f"{path} is not a face model or is damaged ({error}); get it again.") from error


def _region_names(tensors: dict[str, NDArray[Any]]) -> list[str]:
    return [key.removeprefix("region.") for key in tensors if key.startswith("region.")]


def _fault(tensors: dict[str, NDArray[Any]], names: list[str]) -> str | None:
    """What is wrong with the tensors, or None."""
    absent = [name for name in (*_TENSORS, *(f"region.{name}" for name in REGIONS)) if name not in tensors]
    if absent:
        return f"it lacks {', '.join(absent)}"
    vertices, count = len(tensors["mean"]), len(tensors["expression"])
    shapes = {
        "mean": (vertices, 3),
        "identity": (len(tensors["identity"]), vertices, 3),
        "expression": (count, vertices, 3),
        "expression_scale": (count,),
        "triangles": (len(tensors["triangles"]), 3),
        "uv": (vertices, 2),
        "landmarks": (len(tensors["landmarks"]), 2),
    }
    for name, expected in shapes.items():
        kind = np.int32 if name in ("triangles", "landmarks") else np.float32
        if tensors[name].shape != expected or tensors[name].dtype != kind:
            return f"{name} is {tensors[name].dtype} {tensors[name].shape}, expected {kind.__name__} {expected}"
        if not np.isfinite(tensors[name]).all():
            return f"{name} holds values that are not finite"
    if len(names) != count:
        return f"{len(names)} expression names for {count} expressions"
    numbers = {name: tensors[name] for name in tensors if name.startswith("region.")}
    numbers |= {"triangles": tensors["triangles"], "landmarks": tensors["landmarks"][:, 1]}
    for name, ids in numbers.items():
        if ids.size and not (ids.min() >= 0 and ids.max() < vertices):
            return f"{name} names vertices outside 0..{vertices - 1}"
    points = tensors["landmarks"][:, 0]
    if points.size and not (points.min() >= 0 and points.max() < TRACKER_POINTS):
        return f"landmarks name tracker points outside 0..{TRACKER_POINTS - 1}"
    return None
