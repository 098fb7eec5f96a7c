"""A puppet from one photo; see models.photo for how its picture comes about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from rich.progress import Progress as Bars

from export.engine import FOR_PICTURES, load
from export.expression_file import write_expression
from export.onnx_file import write_renderer
from export.photo_report import write_photo_report
from models.background import Frame, write_background
from models.expression_net import ExpressionNet
from models.face_model import FaceModel
from models.motion import Idle, Motion
from models.painter import Painter
from models.photo.fit import FPS, PhotoFit, fit_photo, look
from models.photo.mesh import photo_mesh
from models.photo.renderer import PhotoRenderer
from models.photo.still import Still
from models.photo.texture import cavity_texture, skin_texture, teeth_texture
from models.photo.verdict import examine_photo
from models.puppet import Manifest, Track, VoiceMap, new_puppet
from models.training.console import accept, bar
from models.training.fit_face import FaceFit
from models.training.framing import Framing, frame_lower_face
from models.training.held_out_metrics import LIPS, box
from models.training.report import surroundings, tile

FRAMES = 300
"""Of the background, played forward and back."""


def make_from_photo(picture: Frame, out: Path, consent: str, force: bool, bars: Bars) -> None:
    """Make the puppet `out` of the person in a photo.

    Raises:
        TrackingError: no face in it.
        InputError: it would give a bad puppet, and `force` is not set.
        PuppetError: `out` cannot be made.
    """
    model = FaceModel.tracked()
    fit = fit_photo(look(picture), model)
    findings = examine_photo(picture, fit)
    accept(bars, "The photo", findings, force)
    idle = Idle(FRAMES, FPS)
    motions = [idle(n) for n in range(FRAMES)]
    mesh = photo_mesh(fit.face, fit.seen, fit.rotation)
    skin = skin_texture(picture, mesh, fit.seen, fit.translation, fit.camera)
    renderer = PhotoRenderer(mesh, skin, teeth_texture(mesh, skin), cavity_texture(mesh, skin))
    framing = frame_lower_face(swaying(fit, motions))
    with new_puppet(out, manifest(fit, model, out.name, consent)) as folder:
        mesh.save(folder / "face.safetensors")
        write_renderer(renderer, folder / "renderer.onnx")
        VoiceMap(np.eye(len(fit.seen), dtype=np.float32), np.zeros(len(fit.seen), np.float32)).save(
            folder / "voice.safetensors"
        )
        write_expression(ExpressionNet.universal(), folder / "expression.onnx")
        played = track(fit, motions, framing)
        played.save(folder / "track.safetensors")
        write_background(folder / "background.mp4", frames(picture, fit, motions, bar(bars, "Moving the photo")), FPS)
        cv2.imwrite(str(folder / "preview.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        verdict = json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)
        (folder / "verdict.json").write_text(verdict + "\n", encoding="utf-8")
        painter = Painter(mesh, fit.camera, load(folder / "renderer.onnx", FOR_PICTURES))
        still = Still(picture, fit)

        def drawn(expression: Float32[NDArray[np.float32], " K"]) -> Frame:
            shown, crop = still.frame(motions[0]), framing.crop_at(0)
            painter.paint(shown, expression, played.rotation[0], played.translation[0], crop, framing.hole[0])
            places = surroundings(fit.track, 0, 1), box(fit.track.points[0, LIPS], 0.4, shown)
            return np.vstack([tile(shown[place]) for place in places])

        write_photo_report(folder, f"{out.name}: {consent}", findings, drawn)


def swaying(fit: PhotoFit, motions: list[Motion]) -> FaceFit:
    """The face of the photo through the background, as of a clip."""
    poses = [motion.moved(fit.rotation, fit.translation) for motion in motions]
    return FaceFit(
        face=fit.face,
        expression=np.repeat(fit.seen[None], len(motions), axis=0),
        rotation=np.stack([rotation for rotation, _ in poses]),
        translation=np.stack([translation for _, translation in poses]),
        camera=fit.camera,
        residual=np.zeros(len(motions), np.float32),
        valid=np.ones(len(motions), np.bool_),
        fps=FPS,
    )


def track(fit: PhotoFit, motions: list[Motion], framing: Framing) -> Track:
    """As the puppet plays: the mesh's own axes are those of the photo."""
    return Track(
        camera=fit.camera,
        rotation=np.stack([motion.rotation for motion in motions]).astype(np.float32),
        translation=np.stack([fit.translation + motion.translation for motion in motions]).astype(np.float32),
        crop=framing.crop,
        hole=framing.hole,
    )


def frames(
    picture: Frame, fit: PhotoFit, motions: list[Motion], progress: Callable[[int, int], None]
) -> Iterator[Frame]:
    """The background, one by one."""
    still = Still(picture, fit)
    for n, motion in enumerate(motions):
        yield still.frame(motion)
        progress(n + 1, len(motions))


def manifest(fit: PhotoFit, model: FaceModel, name: str, consent: str) -> Manifest:
    """What puppet.json will say."""
    return Manifest(
        name=name,
        consent=consent,
        fps=str(FPS),
        width=fit.camera.width,
        height=fit.camera.height,
        frames=FRAMES,
        face_model={"source": model.name, "licence": model.licence},
        renderer="photo",
        created=datetime.now(UTC).date().isoformat(),
    )
