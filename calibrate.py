"""From a video of a person to a puppet: `python calibrate.py me.mp4 --out puppets/me --consent "It is me"`.

Every stage leaves its result in a working folder beside the puppet, so that the same command goes on where an
interrupted one stopped. The puppet appears under its name when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from models.command_line import run
from models.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from rich.progress import Progress

    from models.face_model import FaceModel

HELD_OUT = 0.2
"""Share of the clip, at its end, that nothing is trained on, so that the puppet can be judged there."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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


class Kind(StrEnum):
    """Which neural renderer."""

    standard = "standard"
    unet256 = "unet256"


@dataclass(frozen=True, slots=True)
class Settings:
    """What must be the same for an interrupted calibration to go on."""

    video: str
    """SHA-256 of the file."""
    effort: Effort
    face_model: str
    renderer: Kind


@app.command()
def calibrate(
    video: Annotated[Path, typer.Argument(help="The person, speaking to the camera, with sound.")],
    out: Annotated[Path, typer.Option(help="Folder of the puppet to make.")],
    consent: Annotated[str, typer.Option(help='Who agreed to be shown, for example "It is me".')] = "",
    effort: Annotated[Effort, typer.Option(help="How long the renderer trains.")] = Effort.standard,
    face_model: Annotated[str, typer.Option(help="tracked | ict:FILE | bfm2009:FOLDER")] = "tracked",
    renderer: Annotated[Kind, typer.Option(help="The neural renderer.")] = Kind.standard,
    jobs: Annotated[int, typer.Option(help="Processes for the tracker.", min=1)] = os.cpu_count() or 1,
    any_voice: Annotated[bool, typer.Option("--any-voice", help="Others will speak through it.")] = False,
) -> None:
    """Make a puppet from a video of a person who agreed to it."""
    # Before NumPy and torch are imported: threads that wait by spinning cost more than they bring, tens of times on
    # the small matrices of the fit.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not consent.strip():
        raise InputError(
            'A puppet needs the consent of the person shown: --consent "It is me", or who agreed and when.'
        )
    if not all(find_spec(name) for name in ("onnxscript", "scipy", "torch")):
        raise MissingExtraError("calibrate.py", "calibrate")
    from models.puppet import check_new
    from models.video import check_clip, check_voice, probe, read_sound

    check_clip(probe(video))
    check_voice(read_sound(video))
    check_new(out)
    settings = Settings(hashlib.sha256(video.read_bytes()).hexdigest(), effort, face_model, renderer)
    work = working_folder(out, settings)
    with bars() as progress:
        make(video, out, consent.strip(), settings, work, jobs, any_voice, progress)
    shutil.rmtree(work)
    print(f"Made {out}. Let it speak: python serve.py render voice.wav out.mp4 --puppet {out}")


def working_folder(out: Path, settings: Settings) -> Path:
    """The folder for what an interrupted calibration leaves; made, or that of the same calibration."""
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


T = TypeVar("T")


def kept(path: Path, load: Callable[[Path], T], compute: Callable[[], T], save: Callable[[T, Path], object]) -> T:
    """What an earlier run left at `path`, or else the result of `compute`, left there for the next one."""
    if path.exists():
        return load(path)
    result = compute()
    save(result, path)
    return result


def make(
    video: Path,
    out: Path,
    consent: str,
    settings: Settings,
    work: Path,
    jobs: int,
    any_voice: bool,
    progress: Progress,
) -> None:
    """All stages, from tracking to the finished folder."""
    from export.assemble import Calibration, assemble
    from export.onnx_file import write_renderer
    from models.tracker import Track, check_track, track_video
    from models.training.fit_face import FaceFit, fit
    from models.training.framing import frame_lower_face
    from models.training.overlay import overlay_sheet
    from models.training.prepare import prepare
    from models.training.train_renderer import Plan, train
    from models.video import read_frames

    model = source_of(settings.face_model)
    track = kept(
        work / "track.npz",
        Track.load,
        lambda: track_video(video, jobs, stage(progress, "Following the face")),
        lambda track, path: track.save(path),
    )
    check_track(track)
    progress.print(f"The {track.report()}.")
    fitted = kept(
        work / "fit.safetensors",
        FaceFit.load,
        lambda: fit(track, model, stage(progress, "Fitting the face model")),
        lambda fitted, path: fitted.save(path),
    )
    if not (work / "fit.png").exists():
        overlay_sheet(work / "fit.png", read_frames(video), fitted)
    framing = frame_lower_face(fitted)
    prepared = work / "prepared"
    if not prepared.exists():
        frames = (picture for _, picture in read_frames(video))
        prepare(prepared, frames, fitted, framing, stage(progress, "Drawing the training data"))
    if not (work / "renderer.onnx").exists():
        plan = Plan(minutes=minutes(settings.effort), kind=settings.renderer.value, held_out=HELD_OUT)
        show = stage(progress, "Training the renderer")
        renderer = train(prepared, work, plan, report=lambda at: show(round(1000 * at.share), 1000))
        write_renderer(renderer, work / "renderer.onnx")
    done = Calibration(
        video=video,
        fit=fitted,
        framing=framing,
        renderer=work / "renderer.onnx",
        architecture=settings.renderer.value,
        face_model=model,
        fit_sheet=work / "fit.png",
        held_out=HELD_OUT,
        any_voice=any_voice,
    )
    voice = assemble(done, out, consent, stage(progress, "Redrawing what was held out"))
    at = voice.personal[80]
    progress.print(f"Voice: mouth opening on parts held out r {at.r:.2f}, amplitude ×{at.amplitude:.2f}")


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


if __name__ == "__main__":
    run(app, (InputError,), "Stopped; the same command goes on from here.")
