"""A puppet folder is whole and unaltered, or it is refused in one sentence; nothing is half made."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.background import write_background
from models.camera import Camera
from models.errors import PuppetError
from models.face_model import FaceModel
from models.puppet import FILES, VERSION, Manifest, Puppet, Track, VoiceMap, check_new, new_puppet

FRAMES = 5
MANIFEST = Manifest(
    name="somebody",
    consent="It is me.",
    fps="25/1",
    width=64,
    height=48,
    frames=FRAMES,
    face_model={"source": "tracked", "licence": "Apache-2.0"},
    renderer="standard",
    created="2026-01-31",
)


def fill(folder: Path) -> None:
    face = FaceModel.tracked()
    face.save(folder / "face.safetensors")
    zeros = np.zeros((FRAMES, 3), np.float32)
    camera = Camera(100.0, 32.0, 24.0, 64, 48)
    Track(camera, zeros, zeros, zeros + 1, np.zeros((FRAMES, 8, 2), np.int32)).save(folder / "track.safetensors")
    size = len(face.expression)
    VoiceMap(np.eye(size, dtype=np.float32), np.ones(size, np.float32)).save(folder / "voice.safetensors")
    write_background(folder / "background.mp4", [np.zeros((48, 64, 3), np.uint8)] * FRAMES, Fraction(25))
    for name in ("expression.onnx", "renderer.onnx", "preview.jpg"):
        (folder / name).write_bytes(name.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_puppet(tmp_path / "somebody", MANIFEST) as scratch:
        fill(scratch)
    return tmp_path / "somebody"


def test_comes_back_as_it_was_made(folder: Path):
    puppet = Puppet.load(folder)
    assert puppet.manifest == MANIFEST
    assert puppet.fps == 25
    assert puppet.track.camera == Camera(100.0, 32.0, 24.0, 64, 48)
    np.testing.assert_array_equal(puppet.voice(np.zeros(puppet.voice.gain.shape[1], np.float32)), puppet.voice.offset)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["somebody"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(PuppetError, match=f"lacks {name}"):
        Puppet.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_named(folder: Path, name: str):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(PuppetError, match=rf"{name} was altered"):
        Puppet.load(folder)


def edit(folder: Path, **changes: object) -> None:
    path = folder / "puppet.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_newer_format_asks_for_an_update(folder: Path):
    edit(folder, version=VERSION + 1)
    with pytest.raises(PuppetError, match=f"reads up to {VERSION}: update Marotte"):
        Puppet.load(folder)


@pytest.mark.parametrize("changes", [{"files": 3}, {"fps": "fast"}, {"colour": "blue"}, {"version": "one"}])
def test_a_damaged_manifest_is_refused(folder: Path, changes: dict[str, object]):
    edit(folder, **changes)
    with pytest.raises(PuppetError, match="damaged"):
        Puppet.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '"puppet"', '{"format": "other"}'])
def test_what_is_no_manifest_is_refused(folder: Path, text: str):
    (folder / "puppet.json").write_text(text)
    with pytest.raises(PuppetError):
        Puppet.load(folder)


def test_a_folder_without_a_puppet_is_refused(tmp_path: Path):
    with pytest.raises(PuppetError, match=r"is not a puppet: it has no puppet\.json"):
        Puppet.load(tmp_path)


def test_nothing_is_left_of_a_puppet_that_failed(tmp_path: Path):
    with pytest.raises(RuntimeError), new_puppet(tmp_path / "somebody", MANIFEST) as scratch:
        fill(scratch)
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_an_incomplete_puppet_is_not_made(tmp_path: Path):
    with pytest.raises(PuppetError, match="lacks"), new_puppet(tmp_path / "somebody", MANIFEST) as scratch:
        (scratch / "preview.jpg").write_bytes(b"")
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_not_overwritten(folder: Path):
    with pytest.raises(PuppetError, match="exists already"):
        check_new(folder)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PuppetError, match="Cannot write to"):
        check_new(tmp_path / "file" / "puppets" / "somebody")
