"""Turn a puppet's networks into the fastest engines that are provably the same: python -m export puppets/me"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from export.choose import THREADS, Wish
from export.engine import DEVICES, ENGINES, PRECISIONS
from models.command_line import one_of, run
from models.errors import InputError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
FRAMES = 48
"""That every engine is checked with."""


@app.command()
def export(
    puppet: Annotated[str, typer.Argument(help="Folder of a puppet, or 'doctor': a report on the bundled one.")],
    device: Annotated[
        str, typer.Option(parser=one_of("device", *DEVICES), metavar="DEVICE", help="cpu or cuda.")
    ] = "cpu",
    engine: Annotated[
        str,
        typer.Option(parser=one_of("engine", "auto", *ENGINES), metavar="ENGINE", help=f"auto, {', '.join(ENGINES)}."),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            parser=one_of("precision", "auto", *PRECISIONS), metavar="PRECISION", help=f"auto, {', '.join(PRECISIONS)}."
        ),
    ] = "auto",
    threads: Annotated[int, typer.Option(help="Processor threads for one picture.", min=1)] = THREADS,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the network's layers and what they cost.")] = False,
) -> None:
    """Build the engines that this machine can run, check each against the network, time each, keep the fastest.

    The engines lie in your cache folder, never in the puppet. Serving uses the one that was kept.

    Example: python -m export puppets/me --precision bf16
    """
    from export import report
    from models.puppet import Puppet

    wish = Wish.of(device, engine, precision, threads)
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


if __name__ == "__main__":
    run(app, (InputError,), "Stopped; nothing is left half done.")
