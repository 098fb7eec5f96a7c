"""The stages of a calibration, each of which leaves its result in a working folder and takes up what lies there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from models.errors import InputError
from models.face_model import FaceModel
from models.tracker import Track, track_video
from models.training import verdict
from models.training.curves import Curves
from models.training.fit_face import FaceFit, fit
from models.training.fit_resnet import fit_resnet
from models.training.framing import Framing
from models.training.overlay import overlay_sheet
from models.training.prepare import prepare
from models.training.train_renderer import Plan, Progress, train
from models.training.trained import Trained
from models.training.verdict import Verdict, without
from models.video import read_frames

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Bar = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stages:
    """A calibration of one clip."""

    video: Path
    work: Path
    jobs: int
    """Processes for the tracker."""
    bar: Callable[[str], Bar]
    """A new progress bar with this title."""

    def follow(self) -> Track:
        """Follow the face."""
        return kept(
            self.work / "track.npz",
            Track.load,
            lambda: track_video(self.video, self.jobs, self.bar("Following the face")),
            lambda track, path: track.save(path),
        )

    def examine(self, track: Track) -> Verdict:
        """Say how good the clip is."""
        return verdict.examine(self.video, track, self.bar("Examining the clip"))

    def fit(self, track: Track, examined: Verdict, model: FaceModel, weights: Path | None = None) -> FaceFit:
        """Fit the face model to the frames that are of use, and draw it over some.

        `weights`: of a ResNet-50 that is to do it, as AudioDVP does.
        """
        fitted = kept(
            self.work / "fit.safetensors",
            FaceFit.load,
            lambda: self._fit(without(track, examined.usable), model, weights),
            lambda fitted, path: fitted.save(path),
        )
        if not (self.work / "fit.jpg").exists():
            overlay_sheet(self.work / "fit.jpg", read_frames(self.video), fitted)
        return fitted

    def _fit(self, track: Track, model: FaceModel, weights: Path | None) -> FaceFit:
        show = self.bar("Fitting the face model")
        if weights is None:
            return fit(track, model, show)
        return fit_resnet((picture for _, picture in read_frames(self.video)), track, model, weights, show)

    def draw(self, fitted: FaceFit, framing: Framing) -> Path:
        """Draw what the renderer learns from."""
        folder = self.work / "prepared"
        if not folder.exists():
            frames = (picture for _, picture in read_frames(self.video))
            prepare(folder, frames, fitted, framing, self.bar("Drawing the training data"))
        return folder

    def train(
        self, data: Path, plan: Plan, initial: Trained | None = None, watch: Callable[[Progress], None] | None = None
    ) -> Trained:
        """Train the renderer."""
        return kept(
            self.work / "trained.safetensors",
            Trained.load,
            lambda: self._train(data, plan, initial, watch),
            lambda trained, path: trained.save(path),
        )

    def _train(
        self, data: Path, plan: Plan, initial: Trained | None, watch: Callable[[Progress], None] | None
    ) -> Trained:
        show = self.bar("Training the renderer")
        with Curves(self.work / "curves.csv") as curves:

            def report(at: Progress) -> None:
                show(round(1000 * at.share), 1000)
                curves.add(at)
                if watch:
                    watch(at)

            return train(data, self.work, plan, initial, report=report)


def kept(path: Path, load: Callable[[Path], T], compute: Callable[[], T], save: Callable[[T, Path], object]) -> T:
    """What an earlier run left at `path`, or else the result of `compute`, left there for the next one."""
    if path.exists():
        return load(path)
    result = compute()
    save(result, path)
    return result


def working_folder(out: Path, settings: DataclassInstance) -> Path:
    """The folder for what an interrupted calibration leaves; made, or that of the same calibration.

    `settings`: a dataclass of all that must be the same for it to go on.
    """
    folder = out.parent / f".{out.name}.calibration"
    wanted = json.dumps(asdict(settings), indent=2)
    note = folder / "settings.json"
    if folder.exists() and (not note.is_file() or note.read_text() != wanted):
        raise InputError(
            f"{folder} holds an unfinished calibration of another clip or with other options: "
            "repeat its command, or remove the folder to start anew."
        )
    folder.mkdir(exist_ok=True)
    note.write_text(wanted)
    return folder
