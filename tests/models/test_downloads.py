"""The networks are fetched once, checked, and never left half there. No test here touches the network."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from models import downloads
from models.errors import TrackingError

FILES = {"package/finder.tflite": b"finds", "package/mesh.tflite": b"follows"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    monkeypatch.setattr(downloads, "NETWORKS", digests)
    return tmp_path


class Pip:
    """Stands in for pip: writes a wheel of the given files, or fails with the given words."""

    def __init__(self, files=None, failure=""):
        self.files, self.failure, self.calls = files or {}, failure, 0

    def __call__(self, command, **_):
        self.calls += 1
        if not self.failure:
            with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "mediapipe.whl", "w") as wheel:
                for name, data in self.files.items():
                    wheel.writestr(name, data)
        return subprocess.CompletedProcess(command, int(bool(self.failure)), "", self.failure)


def test_fetched_once_and_only_the_networks_kept(cache, monkeypatch):
    pip = Pip({**FILES, "package/other.bin": b"x" * 1000})
    monkeypatch.setattr(subprocess, "run", pip)
    files = downloads.tracker_networks()
    assert {name: path.read_bytes() for name, path in files.items()} == {"finder": b"finds", "mesh": b"follows"}
    assert sorted(p.name for p in cache.rglob("*") if p.is_file()) == ["finder.tflite", "mesh.tflite"]
    assert downloads.tracker_networks() == files
    assert pip.calls == 1


def test_a_spoiled_file_is_fetched_again(cache, monkeypatch):
    monkeypatch.setattr(subprocess, "run", Pip(FILES))
    path = downloads.tracker_networks()["mesh"]
    path.write_bytes(b"spoiled")
    assert downloads.tracker_networks()["mesh"].read_bytes() == b"follows"


def test_offline_is_one_sentence_with_the_reason(cache, monkeypatch):
    monkeypatch.setattr(subprocess, "run", Pip(failure="WARNING: retrying\nERROR: No matching distribution found"))
    with pytest.raises(TrackingError, match=r"could not be fetched.*No matching distribution found") as caught:
        downloads.tracker_networks()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [({**FILES, "package/mesh.tflite": b"another"}, "SHA-256"), ({"package/finder.tflite": b"finds"}, "unpacked")],
)
def test_a_package_with_other_contents_is_refused(cache, monkeypatch, files, words):
    monkeypatch.setattr(subprocess, "run", Pip(files))
    with pytest.raises(TrackingError, match=words):
        downloads.tracker_networks()
    assert not list(cache.rglob("mesh.tflite"))
    assert not list(cache.rglob("*.whl"))
