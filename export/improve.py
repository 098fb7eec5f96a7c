"""More video for a puppet that exists: training goes on from what was learned, on the old clip and the new one.

A puppet keeps, beside what it needs to speak, a folder `learned`: the renderer with its judges, the voice network's
weights, and the fit to its background, which is the old clip or the best part of it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.assemble import BACKGROUND_S, Calibration, adapt_voice, steady_run, write_held_out
from export.expression_file import write_expression
from export.stages import Bar
from models.background import Background
from models.errors import PuppetError, TrackingError
from models.expression_net import ExpressionNet
from models.face_model import FaceModel
from models.puppet import FILES, Puppet, new_puppet
from models.training.adapt_voice import Adaptation
from models.training.fit_face import MOTION, FaceFit
from models.training.framing import Framing, frame_lower_face
from models.training.prepare import join, prepare
from models.training.trained import Trained

SAME_PERSON = 0.3
"""Root mean square distance in cm of two neutral faces, from the front and of one size, up to which they may be one
person's. Of 24 people's clips, those of one person differ by up to 0.15, others by 0.15 to 0.77."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a puppet keeps to learn more."""

    trained: Trained
    net: ExpressionNet
    fit: FaceFit
    """To each frame of the background."""

    @classmethod
    def of(cls, puppet: Puppet) -> Learned:
        """Read it. Raises PuppetError when the puppet keeps nothing."""
        folder = puppet.folder / "learned"
        files = [folder / f"{name}.safetensors" for name in ("trained", "expression", "fit")]
        if not all(file.is_file() for file in files):
            raise PuppetError(f"{puppet.folder} does not keep what it has learned; calibrate anew with a longer clip.")
        return cls(Trained.load(files[0]), ExpressionNet.load(files[1]), FaceFit.load(files[2]))


def keep_learned(folder: Path, trained: Trained, net: ExpressionNet, background: FaceFit) -> None:
    """Write the folder `learned` of a puppet; it appears when complete."""
    scratch = folder / ".learned"
    scratch.mkdir()
    trained.save(scratch / "trained.safetensors")
    net.save(scratch / "expression.safetensors")
    background.save(scratch / "fit.safetensors")
    os.replace(scratch, folder / "learned")


def behind(fit: FaceFit) -> FaceFit:
    """The part of a fit that lies under the puppet's background."""
    first, last = steady_run(fit.valid, int(BACKGROUND_S * fit.fps))
    return replace(fit, **{name: getattr(fit, name)[first:last] for name in MOTION})


def check_person(fitted: FaceModel, face: FaceModel) -> None:
    """Raise TrackingError when the face fitted to another clip is somebody else's."""
    apart = distance(fitted, face)
    if apart > SAME_PERSON:
        raise TrackingError(
            f"The clip seems to show another person: the faces differ by {10 * apart:.1f} mm, those of one person by "
            f"less than {10 * SAME_PERSON:.0f} mm. --force goes on all the same."
        )


def distance(one: FaceModel, other: FaceModel) -> float:
    """Between two neutral faces seen from the front, root mean square over landmarks, cm."""

    def placed(face: FaceModel) -> np.ndarray:
        points = face.mean[face.landmarks[:, 1]].astype(float)
        points -= points.mean(axis=0)
        return 6 * points[:, :2] / np.sqrt((points**2).sum(axis=1).mean())

    return float(np.sqrt(((placed(one) - placed(other)) ** 2).sum(axis=1).mean()))


def joined_data(work: Path, puppet: Puppet, learned: Learned, new: Path, bar: Bar) -> Path:
    """Training data of the background and of the new clip, whose folder is `new`."""
    both = work / "both"
    if both.exists():
        return both
    old = work / "old"
    if not old.exists():
        background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
        frames = (background.frame(n) for n in range(puppet.manifest.frames))
        prepare(old, frames, learned.fit, framing_of(puppet, learned.fit), bar)
        background.close()
    join(both, old, new)
    return both


def framing_of(puppet: Puppet, fit: FaceFit) -> Framing:
    """As the puppet plays."""
    return replace(frame_lower_face(fit), crop=puppet.track.crop, hole=puppet.track.hole)


def write_improved(
    puppet: Puppet, learned: Learned, found: Calibration, trained: Trained, folder: Path, bar: Bar
) -> Adaptation:
    """Write the puppet as improved by a clip to the new `folder`; its background and face stay.

    `found`: what the stages found in the clip. Its fit has a face of its own, a millimetre from the puppet's, on which
    it lies better; expressions mean the same, since all begin at closed lips.
    """
    with new_puppet(folder, replace(puppet.manifest, renderer=found.architecture)) as scratch:
        for name in FILES:
            shutil.copyfile(puppet.folder / name, scratch / name)
        shutil.copyfile(found.renderer, scratch / "renderer.onnx")
        adaptation = adapt_voice(found, learned.net)
        adaptation.voice.save(scratch / "voice.safetensors")
        write_expression(adaptation.net, scratch / "expression.onnx")
        write_held_out(found, scratch / "held_out.mp4", bar)
        shutil.copyfile(found.fit_sheet, scratch / "fit.jpg")
        keep_learned(scratch, trained, adaptation.net, learned.fit)
    return adaptation


def put_in_place(new: Path, folder: Path) -> None:
    """Let a finished puppet take the place of another; at no moment is there half of one."""
    before = folder.with_name(f".{folder.name}.before")
    os.replace(folder, before)
    os.replace(new, folder)
    shutil.rmtree(before)
