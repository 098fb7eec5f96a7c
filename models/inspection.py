"""What a puppet is made of, in words, and how fast this machine draws it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median
from time import perf_counter

import numpy as np

from models.background import Background
from models.camera import Crop
from models.network import Network
from models.painter import Painter
from models.puppet import Puppet

FRAMES = 30
CLASSES = ((120.0, "fast"), (50.0, "smooth"), (25.0, "live"), (12.0, "slow"))
"""Least pictures a second of each class; with less it is for files only."""


def inspected(puppet: Puppet, renderer: Network) -> Iterator[tuple[str, str]]:
    """Names and values."""
    manifest = puppet.manifest
    yield "name", manifest.name
    yield "consent", manifest.consent
    yield "made", manifest.created
    yield "picture", f"{manifest.width}x{manifest.height}, {float(puppet.fps):.5g} pictures a second"
    yield "background", f"{float(manifest.frames / puppet.fps):.1f} s"
    yield "face model", f"{manifest.face_model['source']} ({manifest.face_model['licence']})"
    yield "renderer", manifest.renderer
    if (verdict := puppet.folder / "verdict.json").is_file():
        for finding in json.loads(verdict.read_text(encoding="utf-8")):
            if finding["advice"]:
                yield "clip", f"{finding['light']}: {finding['about']}, {finding['found']}. {finding['advice']}"
    files = sorted((path for path in puppet.folder.rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size)
    for path in files:
        yield "file", f"{path.stat().st_size / 1e6:7.2f} MB  {path.relative_to(puppet.folder)}"
    sizes = {path.name: path.stat().st_size for path in files}
    total = sum(sizes.values())
    yield "size", f"{total / 1e6:.1f} MB, without the background {(total - sizes['background.mp4']) / 1e6:.1f} MB"
    seconds = seconds_a_frame(puppet, renderer)
    yield "speed", f"{speed_class(1 / seconds)}: {1000 * seconds:.1f} ms a picture on one thread of this machine"


def seconds_a_frame(puppet: Puppet, renderer: Network) -> float:
    """Median time for drawing a frame into the background, without reading it or hearing a voice."""
    background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
    picture = background.frame(0)
    background.close()
    painter = Painter(puppet.face, puppet.track.camera, renderer)
    track, rest = puppet.track, np.zeros(len(puppet.face.expression), np.float32)
    crop = Crop(*track.crop[0].tolist())
    took = []
    for _ in range(FRAMES):
        frame = picture.copy()
        began = perf_counter()
        painter.paint(frame, rest, track.rotation[0], track.translation[0], crop, track.hole[0])
        took.append(perf_counter() - began)
    return median(took[FRAMES // 3 :])


def speed_class(rate: float) -> str:
    """For so many pictures a second."""
    return next((name for least, name in CLASSES if rate >= least), "for files only")
