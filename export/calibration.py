"""The two ways to a puppet: made from a clip, or improved with one. Both end with a whole folder in the working one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from rich.progress import Progress as Bars

from export.assemble import Calibration, assemble
from export.improve import Learned, behind, check_person, joined_data, keep_learned, write_improved
from export.onnx_file import write_renderer
from export.stages import Stages
from models.face_model import FaceModel
from models.puppet import Puppet
from models.renderer import Kind
from models.tracker import Track
from models.training.adapt_voice import Adaptation
from models.training.console import accept, bar, tell
from models.training.fit_face import FaceFit
from models.training.framing import Framing, frame_lower_face
from models.training.report import judge, write_report
from models.training.train_renderer import Plan, Progress
from models.training.trained import Trained
from models.training.verdict import Verdict

HELD_OUT = 0.2
"""Share of the clip, at its end, that nothing is trained on, so that the puppet can be judged there."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a calibration is asked to do."""

    video: Path
    folder: Path
    """The working folder."""
    renderer: Kind
    minutes: float
    """Of training."""
    expected: float
    """Minutes in all."""
    settings: str
    """In words, for the report."""
    jobs: int
    """Processes for the tracker."""
    any_voice: bool
    """Others will speak through the puppet."""
    force: bool
    """Go on with a clip that is judged red."""
    watch: Callable[[Progress], None] | None
    """Told how training goes."""
    weights: Path | None = None
    """Of a ResNet-50 that is to fit the face model."""


def make(work: Work, model: FaceModel, name: str, consent: str, bars: Bars) -> Path:
    """Make a puppet; its folder, whole, inside the working folder."""
    began = monotonic()
    stages, track, examined = begin(work, bars)
    fitted = stages.fit(track, examined, model, work.weights)
    framing = frame_lower_face(fitted)
    plan = Plan(work.minutes, work.renderer, held_out=HELD_OUT)
    trained = stages.train(stages.draw(fitted, framing), plan, watch=work.watch)
    new = empty(work.folder / name)
    found = calibration(work, trained, fitted, framing, model)
    voice = assemble(found, new, consent, bar(bars, "Redrawing what was held out"))
    keep_learned(new, trained, voice.net, behind(fitted))
    finish(work, new, consent, track, examined, voice, bars, began)
    return new


def improve(work: Work, puppet: Puppet, bars: Bars) -> Path:
    """Let a puppet learn from more video of its person; the new folder, whole, inside the working folder."""
    began = monotonic()
    learned = Learned.of(puppet)
    stages, track, examined = begin(work, bars)
    fitted = stages.fit(track, examined, puppet.face)
    if not work.force:
        check_person(fitted.face, puppet.face)
    framing = frame_lower_face(fitted)
    data = joined_data(work.folder, puppet, learned, stages.draw(fitted, framing), bar(bars, "Drawing the old clip"))
    count = len(fitted.valid)
    plan = Plan(work.minutes, work.renderer, held_out=HELD_OUT * count / (count + puppet.manifest.frames))
    trained = stages.train(data, plan, learned.trained, work.watch)
    new = empty(work.folder / puppet.folder.name)
    found = calibration(work, trained, fitted, framing, puppet.face)
    voice = write_improved(puppet, learned, found, trained, new, bar(bars, "Redrawing what was held out"))
    finish(work, new, puppet.manifest.consent, track, examined, voice, bars, began)
    return new


def begin(work: Work, bars: Bars) -> tuple[Stages, Track, Verdict]:
    """Follow the face, and say how good the clip is before the wait. Raises InputError for one that is not."""
    stages = Stages(work.video, work.folder, work.jobs, lambda title: bar(bars, title))
    track = stages.follow()
    bars.print(f"The {track.report()}.")
    examined = stages.examine(track)
    accept(bars, "The clip", examined.findings, work.force)
    return stages, track, examined


def empty(folder: Path) -> Path:
    """A place for a new folder: what an interrupted run left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def calibration(work: Work, trained: Trained, fitted: FaceFit, framing: Framing, model: FaceModel) -> Calibration:
    """What was found, for the last stage."""
    write_renderer(trained.renderer, work.folder / "renderer.onnx")
    return Calibration(
        video=work.video,
        fit=fitted,
        framing=framing,
        renderer=work.folder / "renderer.onnx",
        architecture=work.renderer,
        face_model=model,
        fit_sheet=work.folder / "fit.jpg",
        held_out=HELD_OUT,
        any_voice=work.any_voice,
    )


def finish(
    work: Work,
    new: Path,
    consent: str,
    track: Track,
    examined: Verdict,
    voice: Adaptation,
    bars: Bars,
    began: float,
) -> None:
    """Judge the puppet where nothing was learned; write verdict.json and report.html."""
    judged = judge(work.video, track, round(len(track.valid) * (1 - HELD_OUT)), new / "held_out.mp4")
    findings = json.dumps(examined.report(), indent=2, ensure_ascii=False)
    (new / "verdict.json").write_text(findings + "\n", encoding="utf-8")
    told = tell(bars, voice, work.settings, (monotonic() - began) / 60, work.expected)
    write_report(new, f"{new.name}: {consent}", judged, work.folder / "curves.csv", examined, told)
