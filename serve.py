"""Speak through a puppet.

python serve.py                                  a page in the browser: choose a WAV or use the microphone
python serve.py render hello.wav hello.mp4       a voice file becomes a video
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import models.errors
import realtime.errors
from models.command_line import Size, look_ahead, rate, run, spread

if TYPE_CHECKING:
    from models.puppet import Puppet
    from models.puppeteer import Puppeteer

FILE_LOOK_AHEAD_MS = 160
"""A file can be read ahead for nothing; more than this brings no better mouth."""
LIVE_LOOK_AHEAD_MS = 80

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich", help=__doc__ and __doc__.strip()
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that every command has; `@spread()` gives them to one."""

    puppet: Annotated[Path | None, typer.Option(help="Folder of a puppet; the bundled one if none.")] = None
    look_ahead: Annotated[
        int,
        typer.Option(parser=look_ahead, metavar="MS", help="Sound heard beyond the picture: 0, 40, 80, 160, 240 ms."),
    ] = LIVE_LOOK_AHEAD_MS
    fps: Annotated[
        Fraction | None, typer.Option(parser=rate, metavar="RATE", help="Pictures a second: 25, 50, 30000/1001 …")
    ] = None
    size: Annotated[
        Size | None, typer.Option(parser=Size.parse, metavar="WxH", help="Size of the picture, such as 1280x720.")
    ] = None
    report: Annotated[Path | None, typer.Option(help="Write stage times and counts here, as JSON.")] = None


@app.callback(invoke_without_command=True)
@spread(Settings)
def page(
    context: typer.Context,
    settings: Settings,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
    token: Annotated[
        str | None,
        typer.Option(envvar="MAROTTE_TOKEN", help="What other machines must know; better given as $MAROTTE_TOKEN."),
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate for TLS, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve other machines without token and TLS.")] = False,
) -> None:
    """Serve the page where the puppet speaks with your voice.

    The page offers the bundled puppet and those in the folder puppets, or the one, or the folder of them, given with
    --puppet. Players see the current performance at /whep.

    Example: python serve.py --puppet puppets/me --port 8000
    """
    if context.invoked_subcommand:
        return
    from realtime.web.access import Access
    from realtime.web.server import Choice, serve

    access = Access(host, token, cert, key, insecure)
    puppets = load_puppets(settings)
    choices = [
        Choice(puppet.manifest.name, partial(puppeteer, settings, puppet), puppet.folder / "preview.jpg")
        for puppet in puppets
    ]
    names = ", ".join(choice.name for choice in choices)
    asyncio.run(
        serve(choices, access, port, lambda page: print(f"{names} waits at {page} (Ctrl-C ends it)", flush=True))
    )


@app.command()
@spread(Settings, look_ahead=FILE_LOOK_AHEAD_MS)
def render(
    voice: Annotated[Path, typer.Argument(help="A sound file, or a video with sound.")],
    video: Annotated[Path, typer.Argument(help="The MP4 to write.")],
    settings: Settings,
) -> None:
    """Let the puppet speak a sound file, and write the video with its sound.

    Example: python serve.py render hello.wav hello.mp4 --fps 50
    """
    from rich.progress import Progress

    from realtime.clock import MonotonicClock
    from realtime.loop import run as run_loop
    from realtime.sinks.progress import ProgressSink
    from realtime.sinks.video_file import VideoFile
    from realtime.sources.wav import WavSource
    from realtime.telemetry import Telemetry

    telemetry = Telemetry(MonotonicClock())
    source = WavSource(voice)
    sink = VideoFile(video, voice)
    animator = puppeteer(settings, load_puppet(settings))
    with Progress(transient=True) as bar:
        total = ceil(source.seconds * animator.fps) if source.seconds else None
        task = bar.add_task(f"{voice.name} → {video.name}", total=total)
        sinks = [sink, ProgressSink(lambda frames: bar.update(task, completed=frames))]
        asyncio.run(run_loop(source, animator, sinks, live=False, telemetry=telemetry))
    write_report(settings, telemetry.report())
    print(f"Wrote {video}.")


def load_puppets(settings: Settings) -> list[Puppet]:
    """The puppets that can be chosen from: those in a folder of puppets, or the only one."""
    from models.errors import PuppetError
    from models.puppet import Puppet

    folder = settings.puppet or Path("puppets")
    found = sorted(manifest.parent for manifest in folder.glob("*/puppet.json"))
    puppets = [] if found and settings.puppet else [load_puppet(settings)]
    for path in found:
        try:
            puppets.append(Puppet.load(path))
        except PuppetError as error:
            print(f"Left out: {error}", file=sys.stderr)
    return puppets or [load_puppet(settings)]


def load_puppet(settings: Settings) -> Puppet:
    """The puppet that was asked for, or the bundled one."""
    from models.puppet import Puppet

    return Puppet.load(settings.puppet) if settings.puppet else Puppet.bundled()


def puppeteer(settings: Settings, puppet: Puppet) -> Puppeteer:
    """The puppet on strings: its networks in the engines that this machine has."""
    from export.engine import FOR_PICTURES, FOR_VOICE, load

    with ThreadPoolExecutor(2) as pool:
        voice = pool.submit(load, puppet.folder / "expression.onnx", FOR_VOICE)
        renderer = pool.submit(load, puppet.folder / "renderer.onnx", FOR_PICTURES, min(2, os.cpu_count() or 1))
        # Importing Numba takes as long as the engines take to start.
        from models.puppeteer import Puppeteer
        from models.voice_stream import VoiceStream

    size = (settings.size.width, settings.size.height) if settings.size else None
    return Puppeteer(puppet, VoiceStream(voice.result(), settings.look_ahead), renderer.result(), settings.fps, size)


def write_report(settings: Settings, figures: Mapping[str, Any]) -> None:
    """Write figures, if that was asked for, with the machine they were taken on."""
    if settings.report is None:
        return
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.platform()}
    report = {**figures, "look_ahead_ms": settings.look_ahead, "machine": machine}
    try:
        settings.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise models.errors.InputError(f"{settings.report} cannot be written: {error.strerror}.") from error


if __name__ == "__main__":
    run(app, (models.errors.InputError, realtime.errors.MarotteError), "Stopped; nothing is left half done.")
