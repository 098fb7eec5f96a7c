"""From a video of a person to a puppet.

python calibrate.py me.mp4 --out puppets/me --consent "It is me"     a new puppet
python calibrate.py me.jpg --out puppets/me --consent "It is me"     from one photo: less than that
python calibrate.py improve puppets/me more.mp4                      learn from more video
python calibrate.py inspect puppets/me                               what is in it

Every stage leaves its result in a working folder beside the puppet, so that the same command goes on where an
interrupted one stopped. The puppet appears under its name when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from models.command_line import run
from models.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from export.calibration import Work
    from models.face_model import FaceModel

CORES = os.cpu_count() or 1
ClickContext = Any  # click comes inside or beside typer, depending on its version


class MakeByDefault(TyperGroup):
    """Without the name of a command, a puppet is made."""

    def parse_args(self, ctx: ClickContext, args: list[str]) -> list[str]:
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
    Effort.quick: (1, 14),
    Effort.standard: (3, 60),
    Effort.best: (10, 240),
}
OVERHEAD_S = 20
"""Of the stages besides tracking and training."""
FRAMES_A_SECOND = 50
"""That one process follows; and that are looked at, fitted and drawn."""


class Kind(StrEnum):
    """Which neural renderer."""

    standard = "standard"
    small = "small"
    unet256 = "unet256"


class Fit(StrEnum):
    """What lays the face model on the clip."""

    landmarks = "landmarks"
    resnet50 = "resnet50"


@dataclass(frozen=True, slots=True)
class Settings:
    """What must be the same for an interrupted calibration to go on."""

    video: str
    """SHA-256 of the file."""
    effort: Effort
    face_model: str
    renderer: Kind
    fit: Fit = Fit.landmarks


EffortOption = Annotated[Effort, typer.Option(help="How long the renderer trains.")]
JobsOption = Annotated[int, typer.Option(help="Processes for the tracker.", min=1)]
AnyVoiceOption = Annotated[bool, typer.Option("--any-voice", help="Others will speak through it.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Go on with a clip that is judged red.")]
BoardOption = Annotated[Path | None, typer.Option(help="Log the training here for TensorBoard.", metavar="DIR")]


@app.command("make")
def calibrate(
    video: Annotated[Path, typer.Argument(help="The person, speaking to the camera, with sound; or a photo.")],
    out: Annotated[Path, typer.Option(help="Folder of the puppet to make.")],
    consent: Annotated[str, typer.Option(help='Who agreed to be shown, for example "It is me".')] = "",
    effort: EffortOption = Effort.standard,
    face_model: Annotated[str, typer.Option(help="tracked | ict:FILE | bfm2009:FOLDER")] = "tracked",
    fit: Annotated[Fit, typer.Option(help="What lays it on the clip; resnet50 as AudioDVP does, to compare.")] = (
        Fit.landmarks
    ),
    weights: Annotated[Path | None, typer.Option(help="VGGFace2's resnet50_ft_weight.pkl, for resnet50.")] = None,
    renderer: Annotated[Kind, typer.Option(help="The neural renderer; small draws in half the time.")] = Kind.standard,
    jobs: JobsOption = CORES,
    any_voice: AnyVoiceOption = False,
    force: ForceOption = False,
    tensorboard: BoardOption = None,
) -> None:
    """Make a puppet from a video of a person who agreed to it. (The name of this command may be left out.)

    A photo does too, for a puppet that promises less; it needs a minute, and no choices.
    """
    if not consent.strip():
        raise InputError(
            'A puppet needs the consent of the person shown: --consent "It is me", or who agreed and when.'
        )
    if (fit is Fit.resnet50) != (weights is not None):
        raise InputError("--fit resnet50 needs --weights FILE, and nothing else does.")
    prepare_machine()
    from export.calibration import make
    from export.photo import make_from_photo
    from models.photo.picture import is_photo, read_photo
    from models.puppet import check_new
    from models.training.console import progress_bars

    check_new(out)
    if is_photo(video):
        with progress_bars() as bars:
            make_from_photo(read_photo(video), out, consent.strip(), force, bars)
        print(f"Made {out}. Let it speak: python serve.py render voice.wav out.mp4 --puppet {out}")
        return
    settings = Settings(digest(video), effort, face_model, renderer, fit)
    work = replace(planned(video, out, settings, jobs, any_voice, force, tensorboard), weights=weights)
    with progress_bars() as bars:
        new = make(work, source_of(face_model), out.name, consent.strip(), bars)
    os.replace(new, out)
    shutil.rmtree(work.folder)
    print(f"Made {out}; how good it is says {out / 'report.html'}.")
    print(f"Let it speak: python serve.py render voice.wav out.mp4 --puppet {out}")


@app.command()
def improve(
    puppet: Annotated[Path, typer.Argument(help="Folder of the puppet.")],
    more: Annotated[Path, typer.Argument(help="The same person in another clip, with sound.")],
    effort: EffortOption = Effort.standard,
    jobs: JobsOption = CORES,
    any_voice: AnyVoiceOption = False,
    force: ForceOption = False,
    tensorboard: BoardOption = None,
) -> None:
    """Let a puppet learn from more video of the same person, beginning with what it knows."""
    prepare_machine()
    from export.calibration import improve as improved
    from export.improve import Learned, put_in_place
    from models.puppet import Puppet
    from models.training.console import progress_bars

    base = Puppet.load(puppet)
    Learned.of(base)  # an error when it cannot learn
    settings = Settings(digest(more), effort, "the puppet's own", Kind(base.manifest.renderer))
    work = planned(more, puppet, settings, jobs, any_voice, force, tensorboard)
    with progress_bars() as bars:
        new = improved(work, base, bars)
    put_in_place(new, puppet)
    shutil.rmtree(work.folder)
    print(f"Improved {puppet}; how good it is now says {puppet / 'report.html'}.")


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


def digest(video: Path) -> str:
    """SHA-256 of a file that can be used as a clip; an error otherwise."""
    from models.video import check_clip, check_voice, probe, read_sound

    check_clip(probe(video))
    check_voice(read_sound(video))
    return hashlib.sha256(video.read_bytes()).hexdigest()


def planned(
    video: Path, out: Path, settings: Settings, jobs: int, any_voice: bool, force: bool, tensorboard: Path | None
) -> Work:
    """The work to do, its folder made or found, and how long it will take told."""
    from export.calibration import Work
    from export.stages import working_folder
    from models.training import curves
    from models.video import probe

    training = minutes(settings.effort)
    seconds = OVERHEAD_S + probe(video).frames * (1 / jobs + 1) / FRAMES_A_SECOND
    expected = training + seconds / 60
    watch = curves.tensorboard(tensorboard) if tensorboard else None
    work = Work(
        video=video,
        folder=working_folder(out, settings),
        renderer=settings.renderer.value,
        minutes=training,
        expected=expected,
        settings=f"{settings.effort}, {settings.renderer}, face model {settings.face_model} by {settings.fit}",
        jobs=jobs,
        any_voice=any_voice,
        force=force,
        watch=watch,
    )
    print(f"This will take about {expected:.0f} min.")
    return work


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
