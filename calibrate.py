"""From a video of a person to a puppet.

python calibrate.py me.mp4 --out puppets/me --consent "It is me"     a new puppet
python calibrate.py improve puppets/me more.mp4                      learn from more video
python calibrate.py inspect puppets/me                               what is in it

Every stage leaves its result in a working folder beside the puppet, so that the same command goes on where an
interrupted one stopped. The puppet appears under its name when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from models.command_line import run
from models.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from rich.progress import Progress

    from models.expression_net import ExpressionNet
    from models.face_model import FaceModel
    from models.training.verdict import Verdict

CORES = os.cpu_count() or 1
HELD_OUT = 0.2
"""Share of the clip, at its end, that nothing is trained on, so that the puppet can be judged there."""


class MakeByDefault(TyperGroup):
    """Without the name of a command, a puppet is made."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 (click's, wherever typer keeps it)
        """Put the name in front."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=MakeByDefault,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=__doc__ and __doc__.strip(),
)


class Effort(StrEnum):
    """How long the renderer trains."""

    quick = "quick"
    standard = "standard"
    best = "best"


MINUTES = {  # on a GPU, on a CPU
    Effort.quick: (2, 14),
    Effort.standard: (5, 60),
    Effort.best: (15, 240),
}
OVERHEAD_S = 20
"""Of the stages besides tracking and training."""
FRAMES_A_SECOND = 25
"""That one process follows, looks at, fits and draws, in the mean."""


class Kind(StrEnum):
    """Which neural renderer."""

    standard = "standard"
    small = "small"
    masked = "masked"
    textured = "textured"
    unet256 = "unet256"


@dataclass(frozen=True, slots=True)
class Settings:
    """What must be the same for an interrupted calibration to go on."""

    video: str
    """SHA-256 of the file."""
    effort: Effort
    face_model: str
    renderer: Kind


EffortOption = Annotated[Effort, typer.Option(help="How long the renderer trains.")]
JobsOption = Annotated[int, typer.Option(help="Processes for the tracker.", min=1)]
AnyVoiceOption = Annotated[bool, typer.Option("--any-voice", help="Others will speak through it.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Go on with a clip that is judged red.")]
BoardOption = Annotated[Path | None, typer.Option(help="Log the training here for TensorBoard.", metavar="DIR")]


@app.command("make")
def calibrate(
    video: Annotated[Path, typer.Argument(help="The person, speaking to the camera, with sound.")],
    out: Annotated[Path, typer.Option(help="Folder of the puppet to make.")],
    consent: Annotated[str, typer.Option(help='Who agreed to be shown, for example "It is me".')] = "",
    effort: EffortOption = Effort.standard,
    face_model: Annotated[str, typer.Option(help="tracked | ict:FILE | bfm2009:FOLDER")] = "tracked",
    renderer: Annotated[Kind, typer.Option(help="The neural renderer.")] = Kind.standard,
    jobs: JobsOption = CORES,
    any_voice: AnyVoiceOption = False,
    force: ForceOption = False,
    tensorboard: BoardOption = None,
) -> None:
    """Make a puppet from a video of a person who agreed to it. (The name of this command may be left out.)"""
    if not consent.strip():
        raise InputError(
            'A puppet needs the consent of the person shown: --consent "It is me", or who agreed and when.'
        )
    prepare_machine()
    from export.assemble import Calibration, assemble
    from export.onnx_file import write_renderer
    from export.stages import Stages, working_folder
    from models.puppet import check_new
    from models.renderer import Renderer
    from models.training.curves import tensorboard as board
    from models.training.framing import frame_lower_face
    from models.training.report import judge, write_report
    from models.training.train_renderer import Plan

    frames = check_video(video)
    check_new(out)
    settings = Settings(hashlib.sha256(video.read_bytes()).hexdigest(), effort, face_model, renderer)
    watch = board(tensorboard) if tensorboard else None
    work = working_folder(out, settings)
    began, expected = monotonic(), predicted(effort, frames, jobs)
    print(f"This will take about {expected:.0f} min.")
    with bars() as progress:
        stages = Stages(video, work, jobs, lambda title: stage(progress, title))
        model = source_of(face_model)
        track = stages.follow()
        progress.print(f"The {track.report()}.")
        examined = stages.examine(track)
        show_verdict(progress, examined, force)
        fitted = stages.fit(track, examined, model)
        framing = frame_lower_face(fitted)
        plan = Plan(minutes=minutes(effort), kind=renderer.value, held_out=HELD_OUT)
        weights = stages.train(stages.draw(fitted, framing), plan, watch=watch)
        write_renderer(Renderer.load(weights), work / "renderer.onnx")
        done = Calibration(
            video=video,
            fit=fitted,
            framing=framing,
            renderer=work / "renderer.onnx",
            architecture=renderer.value,
            face_model=model,
            fit_sheet=work / "fit.png",
            held_out=HELD_OUT,
            any_voice=any_voice,
        )
        voice = assemble(done, out, consent.strip(), stage(progress, "Redrawing what was held out"))
        keep_learned(out, weights, voice.net)
        at = voice.personal[80]
        took = (monotonic() - began) / 60
        told = {
            "Settings": f"{effort.value}, {renderer.value}, {face_model}",
            "Time": f"{took:.1f} min; {expected:.0f} min were expected",
            "Voice": f"mouth opening on parts held out r {at.r:.2f}, amplitude ×{at.amplitude:.2f}",
            "Sound and lips": f"{voice.mouth_late_ms:+d} ms of the mouth against the sound corrected",
        }
        progress.print("\n".join(f"{name}: {value}." for name, value in told.items()))
        first = round(len(track.valid) * (1 - HELD_OUT))
        judged = judge(video, track, first, out / "held_out.mp4")
        write_report(out, f"{out.name}: {consent.strip()}", judged, work / "curves.csv", examined, told)
    shutil.rmtree(work)
    print(f"Made {out}; how good it is says {out / 'report.html'}.")
    print(f"Let it speak: python serve.py render voice.wav out.mp4 --puppet {out}")


@app.command()
def inspect(puppet: Annotated[Path, typer.Argument(help="Folder of a puppet.")]) -> None:
    """Say what is in a puppet, who consented, and how fast it is on this machine."""
    from export.engine import FOR_PICTURES, load
    from models.inspection import inspected
    from models.puppet import Puppet

    found = Puppet.load(puppet)
    for name, value in inspected(found, load(found.folder / "renderer.onnx", FOR_PICTURES, threads=1)):
        print(f"{name:12} {value}")


def prepare_machine() -> None:
    """Before NumPy and torch are imported: threads that wait by spinning cost more than they bring.

    On the small matrices of the fit it is tens of times as much.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not all(find_spec(name) for name in ("matplotlib", "onnxscript", "scipy", "torch")):
        raise MissingExtraError("calibrate.py", "calibrate")


def check_video(video: Path) -> int:
    """Frames of a clip that can be used; an error otherwise."""
    from models.video import check_clip, check_voice, probe, read_sound

    info = probe(video)
    check_clip(info)
    check_voice(read_sound(video))
    return info.frames


def show_verdict(progress: Progress, verdict: Verdict, force: bool) -> None:
    """Print the findings as a table; stop at red ones unless forced."""
    from rich.table import Table

    colours = {"green": "green", "amber": "yellow", "red": "red"}
    table = Table("The clip", "", "", "Advice", box=None, header_style="bold")
    for finding in verdict.findings:
        light = f"[{colours[finding.light]}]{finding.light}[/]"
        table.add_row(finding.about, finding.found, light, finding.advice)
    progress.print(table)
    reds = [f"{finding.about} ({finding.found}): {finding.advice}" for finding in verdict.findings if finding.red]
    if reds and not force:
        raise InputError("\n".join(["This clip would give a bad puppet.", *reds, "--force goes on all the same."]))


def keep_learned(out: Path, weights: Path, net: ExpressionNet) -> None:
    """Keep the weights in the puppet, in the form in which `improve` goes on from them."""
    scratch = out / ".learned"
    scratch.mkdir()
    shutil.copyfile(weights, scratch / "renderer.safetensors")
    net.save(scratch / "expression.safetensors")
    scratch.rename(out / "learned")


@contextmanager
def bars() -> Iterator[Progress]:
    """Progress bars with the time left."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn()) as progress:
        yield progress


def stage(progress: Progress, title: str) -> Callable[[int, int], None]:
    """A new bar; the function moves it to (done, total)."""
    task = progress.add_task(title, total=None)
    return lambda done, total: progress.update(task, completed=done, total=total)


def source_of(choice: str) -> FaceModel:
    """The face model that `--face-model` names."""
    from models.face_model import FaceModel

    kind, _, place = choice.partition(":")
    if choice == "tracked":
        return FaceModel.tracked()
    if kind == "ict" and place:
        return FaceModel.ict(Path(place))
    if kind == "bfm2009" and place:
        return FaceModel.bfm2009(Path(place))
    raise InputError(f"--face-model {choice} is unknown; it is tracked, ict:FILE or bfm2009:FOLDER.")


def minutes(effort: Effort) -> float:
    """Training time of the renderer on this machine."""
    import torch

    on_gpu, on_cpu = MINUTES[effort]
    return on_gpu if torch.cuda.is_available() else on_cpu


def predicted(effort: Effort, frames: int, jobs: int) -> float:
    """Minutes until the puppet is there."""
    return minutes(effort) + (OVERHEAD_S + frames * (1 / jobs + 1) / FRAMES_A_SECOND / 2) / 60


if __name__ == "__main__":
    run(app, (InputError,), "Stopped; the same command goes on from here.")
