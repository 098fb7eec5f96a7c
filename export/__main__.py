"""Turn a puppet's networks into the fastest engines that are provably the same: python -m export puppets/me"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from export.choose import Wish
from export.engine import PACKAGES, Device, EngineName, Precision
from models.command_line import run
from models.errors import InputError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
FRAMES = 48
"""That every engine is checked with."""


@app.command()
def export(
    puppet: Annotated[str, typer.Argument(help="Folder of a puppet, or 'doctor': a report on the bundled one.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    engine: Annotated[str, typer.Option(help=f"auto, {', '.join(PACKAGES)}.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16, bf16, int8.")] = "auto",
    threads: Annotated[int, typer.Option(help="Processor threads for one picture.", min=1)] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the network's layers and what they cost.")] = False,
) -> None:
    """Build the engines that this machine can run, check each against the network, time each, keep the fastest.

    The engines lie in your cache folder, never in the puppet. Serving uses the one that was kept.

    Example: python -m export puppets/me --precision bf16
    """
    from export import report
    from models.puppet import Puppet

    wish = Wish(
        cast(Device, _one_of("device", device, ("cpu", "cuda"))),
        cast(EngineName, _one_of("engine", engine, ("auto", *PACKAGES))),
        cast(Precision, _one_of("precision", precision, ("auto", "fp32", "fp16", "bf16", "int8"))),
        threads,
    )
    doctor = puppet == "doctor"
    chosen = Puppet.bundled() if doctor else Puppet.load(Path(puppet))
    figures: dict[str, Any] = report.figures(chosen, wish, FRAMES)
    report.show(figures)
    if show or doctor:
        figures["layers"] = report.show_layers(chosen.folder / "renderer.onnx", wish)
    if doctor:
        print("Please attach the following to your issue:\n" + report.text(figures))
    if json:
        report.write(figures, json)
    if not figures["kept"]:
        raise InputError("No engine passed; the puppet is drawn by the next one that does, see above.")


def _one_of(what: str, given: str, offered: tuple[str, ...]) -> str:
    if given not in offered:
        raise typer.BadParameter(f"{given} is no {what}: expected one of {', '.join(offered)}.")
    return given


if __name__ == "__main__":
    run(app, (InputError,), "Stopped; nothing is left half done.")
