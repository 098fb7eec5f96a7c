"""Measure the voice network: python -m models.evaluate voice --fits DIR --clips DIR --json FILE [--plot FILE]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.atnet import AtNet
from models.command_line import run
from models.errors import InputError
from models.evaluate.curve_plot import draw_curves
from models.evaluate.onset_rows import onset_rows
from models.evaluate.silence_rows import at_level, natural_stillness, noises, silence_rows
from models.evaluate.voice_report import show
from models.evaluate.voice_rows import Trained, VoiceRows
from models.evaluate.voice_scores import Ruler
from models.expression_net import BUNDLED, ExpressionNet
from models.face_model import FaceModel
from models.training.expression_data import load_clip, sound_files
from models.training.expression_sources import KEPT_OUT, RECORDINGS
from models.video import read_sound

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def evaluate() -> None:
    """Yardsticks for trained networks."""


@app.command()
def voice(
    *,
    fits: Annotated[Path, typer.Option(help="Folder with the fitted expressions, <clip>.npz.")],
    clips: Annotated[Path, typer.Option(help="Folder with the clips.")],
    json_file: Annotated[Path, typer.Option("--json", help="File for the rows.")],
    visemes: Annotated[Path | None, typer.Option(help="Folder with labels, <clip>.npy, for closures.")] = None,
    net: Annotated[Path, typer.Option(help="The network to judge.")] = BUNDLED,
    fold: Annotated[
        list[Path] | None, typer.Option(help="Folder of a training with --leave-out: judges the people left out.")
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder with more noises in which nobody speaks.")] = None,
    atnet: Annotated[
        Path | None, typer.Option(help="atnet_lstm_18.pth, to compare with AudioDVP as published.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG file for the curves.")] = None,
) -> None:
    """Quality against look-ahead of our network, AudioDVP's affine map and ridge regression; stillness in silence, and
    whether the mouth opens in time."""
    ruler = Ruler.of(FaceModel.tracked())
    everyone = [load_clip(recording, fits, clips, visemes) for recording in (*KEPT_OUT, *RECORDINGS)]
    judged = ExpressionNet.load(net)
    rows = VoiceRows(
        everyone,
        [Trained(judged, _kept_out()), *(_fold(folder) for folder in fold or ())],
        AtNet.load(atnet) if atnet else None,
    )
    sounds = noises()
    if noise is not None:
        found = {stem: read_sound(file) for stem, file in sound_files(noise).items()}
        sounds |= {stem: at_level(sound) for stem, sound in found.items() if sound is not None}
    table = {
        "curve": list(rows.own_person()),
        "leave_one_out": list(rows.strangers()),
        "real": list(rows.real()),
        "silence": list(
            silence_rows(judged, ruler, sounds, everyone[0].sound[: 5 * 16_000], natural_stillness(everyone, ruler))
        ),
        "onset": list(onset_rows(judged, ruler, [clip.sound for clip in everyone])),
    }
    json_file.write_text(json.dumps(table, indent=1) + "\n")
    show(table, Console())
    if plot is not None:
        draw_curves({"own person": table["curve"], "stranger": table["leave_one_out"]}, plot)


def _kept_out() -> frozenset[str]:
    return frozenset(recording.person for recording in KEPT_OUT)


def _fold(folder: Path) -> Trained:
    report = json.loads((folder / "report.json").read_text())
    net = ExpressionNet.load(folder / "expression.safetensors")
    return Trained(net, frozenset(report["left_out"]) | _kept_out())


if __name__ == "__main__":
    run(app, (InputError, OSError), "Stopped.")
