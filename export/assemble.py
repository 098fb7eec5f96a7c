"""The last stage of a calibration: what was fitted and trained becomes a puppet folder that anybody can load."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from export.engine import FOR_PICTURES, load
from export.expression_file import write_expression
from models.background import Frame, write_background
from models.expression_net import ExpressionNet
from models.face_model import FaceModel
from models.painter import Painter
from models.puppet import Manifest, Track, new_puppet
from models.training.adapt_voice import Adaptation, Config, adapt
from models.training.fit_face import FaceFit
from models.training.framing import Framing
from models.video import read_frames, read_sound

BACKGROUND_S = 30
"""Of the clip, at most, played forward and back behind the puppet."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the stages before have found."""

    video: Path
    fit: FaceFit
    framing: Framing
    renderer: Path
    """The trained renderer as ONNX."""
    architecture: str
    face_model: FaceModel
    """The one that was fitted, before it became the person's."""
    fit_sheet: Path
    """Picture of the fit over frames of the clip."""
    held_out: float
    """Share of the clip, at its end, that nothing may learn from."""
    any_voice: bool
    """The puppet is for other voices than the clip's, so nothing may be learned from how that one sounds."""


def assemble(calibration: Calibration, out: Path, consent: str, progress: Progress) -> Adaptation:
    """Adapt the voice, and write the puppet `out` with a preview, a sheet of the fit and the held-out part redrawn.

    Returns what the adaptation of the voice measured. Raises `PuppetError` when `out` cannot be made.
    """
    fit = calibration.fit
    first, last = steady_run(fit.valid, int(BACKGROUND_S * fit.fps))
    with new_puppet(out, manifest(calibration, out.name, consent, last - first)) as folder:
        fit.face.save(folder / "face.safetensors")
        shutil.copyfile(calibration.renderer, folder / "renderer.onnx")
        adaptation = adapt_voice(calibration)
        adaptation.voice.save(folder / "voice.safetensors")
        write_expression(adaptation.net, folder / "expression.onnx")
        framing = calibration.framing
        part = slice(first, last)
        Track(fit.camera, fit.rotation[part], fit.translation[part], framing.crop[part], framing.hole[part]).save(
            folder / "track.safetensors"
        )
        write_background(folder / "background.mp4", pictures(calibration.video, first, last), fit.fps)
        write_held_out(calibration, folder / "held_out.mp4", progress)
        shutil.copyfile(calibration.fit_sheet, folder / "fit.jpg")
        preview = next(pictures(calibration.video, first, last))
        cv2.imwrite(str(folder / "preview.jpg"), cv2.cvtColor(preview, cv2.COLOR_RGB2BGR))
    return adaptation


def manifest(calibration: Calibration, name: str, consent: str, frames: int) -> Manifest:
    """What puppet.json will say."""
    camera, model = calibration.fit.camera, calibration.face_model
    return Manifest(
        name=name,
        consent=consent,
        fps=str(calibration.fit.fps),
        width=camera.width,
        height=camera.height,
        frames=frames,
        face_model={"source": model.name, "licence": model.licence},
        renderer=calibration.architecture,
        created=datetime.now(UTC).date().isoformat(),
    )


def adapt_voice(calibration: Calibration, net: ExpressionNet | None = None) -> Adaptation:
    """The voice network as this person moves, learned from the part of the clip that may be learned from.

    `net`: the network to begin with; None for the universal one.
    """
    fit = calibration.fit
    count = round(len(fit.valid) * (1 - calibration.held_out))
    sound = read_sound(calibration.video)
    assert sound is not None, "a clip without sound was refused at the start"
    return adapt(
        net or ExpressionNet.universal(),
        FaceModel.tracked(),
        fit.face,
        sound[: int(count * 16_000 / fit.fps)],
        fit.expression[:count],
        fit.valid[:count],
        fit.fps,
        # Others' voices move a mouth a quarter less than its own person's voice does, so more is aimed at.
        Config(penalty=None, amplitude=0.85) if calibration.any_voice else Config(),
    )


def write_held_out(calibration: Calibration, path: Path, progress: Progress) -> None:
    """The part of the clip that nothing learned from, its lower faces redrawn from the expressions seen there."""
    fit, framing = calibration.fit, calibration.framing
    painter = Painter(fit.face, fit.camera, load(calibration.renderer, FOR_PICTURES, threads=2))
    count = len(fit.valid)
    start = round(count * (1 - calibration.held_out))

    def redrawn(n: int, picture: Frame) -> Frame:
        picture = picture.copy()
        painter.paint(
            picture, fit.expression[n], fit.rotation[n], fit.translation[n], framing.crop_at(n), framing.hole[n]
        )
        progress(n + 1 - start, count - start)
        return picture

    frames = enumerate(pictures(calibration.video, start, count), start)
    write_background(path, (redrawn(n, picture) for n, picture in frames), fit.fps)


def pictures(video: Path, first: int, last: int) -> Iterator[Frame]:
    """Frames first..last-1."""
    return (picture for _, picture in read_frames(video, first, last))


def steady_run(valid: np.ndarray, longest: int) -> tuple[int, int]:
    """The longest stretch of frames in which the face was seen, cut to `longest`: first frame and the one after."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8))).reshape(-1, 2)
    first, last = max(edges.tolist(), key=lambda run: run[1] - run[0])
    return first, min(last, first + longest)
