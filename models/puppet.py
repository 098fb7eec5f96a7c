"""A puppet: the folder that holds a calibrated person or character, ready to speak.

    puppet.json            what it is, who consented, and the size and SHA-256 of every other file
    face.safetensors       the personal face model: neutral shape and expression basis
    track.safetensors      the background clip's pose, crop and lower-face hole, frame by frame
    background.mp4         the clip itself
    voice.safetensors      the affine map from the universal expression coefficients to the person's
    expression.onnx        voice -> expression
    renderer.onnx          rasterized face + surroundings -> lower face
    preview.jpg            a still

Nothing in it is a pickle, and nothing runs from it but the two networks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from models.camera import Camera
from models.errors import PuppetError
from models.face_model import FaceModel

FORMAT = "marotte-puppet"
VERSION = 1
FILES = (
    "face.safetensors",
    "track.safetensors",
    "background.mp4",
    "voice.safetensors",
    "expression.onnx",
    "renderer.onnx",
    "preview.jpg",
)


@dataclass(frozen=True, slots=True)
class Track:
    """Where the face is in the background clip. N frames, P corners of the hole's outline."""

    camera: Camera
    rotation: Float32[NDArray[np.float32], "N 3"]
    """Rotation vectors, head to camera."""
    translation: Float32[NDArray[np.float32], "N 3"]
    """Centimetres."""
    crop: Float32[NDArray[np.float32], "N 3"]
    """x, y (px of the frame) and scale of `camera.Crop`."""
    hole: Int32[NDArray[np.int32], "N P 2"]
    """Outline of the lower face that is drawn anew, px of the crop."""

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        camera = np.array([self.camera.focal, self.camera.cx, self.camera.cy, self.camera.width, self.camera.height])
        save_file(
            {
                "camera": camera,
                "rotation": self.rotation,
                "translation": self.translation,
                "crop": self.crop,
                "hole": self.hole,
            },
            path,
        )

    @classmethod
    def load(cls, path: Path) -> Track:
        """Read what `save` wrote; a `PuppetError` says what is missing."""
        arrays = _arrays(path, ("camera", "rotation", "translation", "crop", "hole"))
        focal, cx, cy, width, height = (float(v) for v in arrays.pop("camera"))
        return cls(Camera(focal, cx, cy, round(width), round(height)), **arrays)


@dataclass(frozen=True, slots=True)
class VoiceMap:
    """Universal expression coefficients -> this puppet's: `gain @ universal + offset`."""

    gain: Float32[NDArray[np.float32], "K universal"]
    offset: Float32[NDArray[np.float32], " K"]

    def __call__(self, universal: Float32[NDArray[np.float32], "... universal"]) -> NDArray[np.float32]:
        """Map coefficients [..., universal] -> [..., K]."""
        return universal @ self.gain.T + self.offset

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({"gain": np.ascontiguousarray(self.gain), "offset": np.ascontiguousarray(self.offset)}, path)

    @classmethod
    def load(cls, path: Path) -> VoiceMap:
        """Read what `save` wrote; a `PuppetError` says what is missing."""
        return cls(**_arrays(path, ("gain", "offset")))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What puppet.json says, but for the list of files."""

    name: str
    consent: str
    """The statement of the person shown, or of the character's maker."""
    fps: str
    """Frames per second of the background clip and so of the puppet, as a fraction: "25/1"."""
    width: int
    height: int
    frames: int
    face_model: dict[str, str]
    """source and licence."""
    renderer: str
    created: str
    """ISO 8601 date."""


@dataclass(frozen=True, slots=True)
class Puppet:
    """A puppet folder whose files were all checked."""

    folder: Path
    manifest: Manifest
    face: FaceModel
    track: Track
    voice: VoiceMap

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.manifest.fps)

    @classmethod
    def load(cls, folder: Path) -> Puppet:
        """Read and check a puppet folder.

        Raises:
            PuppetError: no puppet there, a file missing or altered, or a newer format; says which and what to do.
        """
        manifest = _manifest(folder)
        return cls(
            folder,
            manifest,
            FaceModel.load(folder / "face.safetensors"),
            Track.load(folder / "track.safetensors"),
            VoiceMap.load(folder / "voice.safetensors"),
        )

    @classmethod
    def bundled(cls) -> Puppet:
        """The character that comes with Marotte."""
        return cls.load(Path(__file__).parent / "bundled" / "jester")


@contextmanager
def new_puppet(folder: Path, manifest: Manifest) -> Iterator[Path]:
    """Make a puppet: yields a scratch folder to fill with FILES; on success it becomes `folder`, otherwise it vanishes.

    Raises:
        PuppetError: `folder` exists, cannot be made, or a file was not written.
    """
    check_new(folder)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield scratch
        missing = [name for name in FILES if not (scratch / name).is_file()]
        if missing:
            raise PuppetError(f"The puppet lacks {', '.join(missing)}.")
        files = {name: _fingerprint(scratch / name) for name in FILES}
        text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(manifest), "files": files}, indent=2)
        (scratch / "puppet.json").write_text(text + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_new(folder: Path) -> None:
    """Raise `PuppetError` unless a puppet can be made at `folder`."""
    if folder.exists():
        raise PuppetError(f"{folder} exists already; choose another --out or remove it.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise PuppetError(f"Cannot write to {folder.parent}: {error.strerror}; choose another --out.") from error


def _manifest(folder: Path) -> Manifest:
    path = folder / "puppet.json"
    if not path.is_file():
        raise PuppetError(f"{folder} is not a puppet: it has no puppet.json.")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise PuppetError(f"{path} is not a puppet's.")
        version = content.pop("version")
        if version > VERSION:
            raise PuppetError(
                f"{folder} has puppet format {version}, this Marotte reads up to {VERSION}: update Marotte."
            )
        recorded = content.pop("files")
        files = {name: recorded.get(name) for name in FILES}
        manifest = Manifest(**content)
        Fraction(manifest.fps)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise PuppetError(f"{path} is damaged ({error}); restore the puppet or make it again.") from error
    for name in FILES:
        if not (folder / name).is_file():
            raise PuppetError(f"{folder} lacks {name}; restore the puppet or make it again.")
        if _fingerprint(folder / name) != files[name]:
            raise PuppetError(f"{folder / name} was altered since the puppet was made; restore it or make it again.")
    return manifest


def _fingerprint(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise PuppetError(f"{path} cannot be read ({error}); restore the puppet or make it again.") from error
    if set(arrays) != set(names):
        raise PuppetError(f"{path} holds {sorted(arrays)}, expected {sorted(names)}; make the puppet again.")
    return arrays
