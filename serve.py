"""Speak through a puppet.

python serve.py render hello.wav hello.mp4       a voice file becomes a video
python serve.py                                  a page in the browser: choose a WAV or use the microphone
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import models.errors
import realtime.errors
from models.command_line import run

if TYPE_CHECKING:
    from models.puppet import Puppet
    from models.puppeteer import Puppeteer

FILE_LOOK_AHEAD_MS = 160
"""A file can be read ahead for nothing; more than this brings no better mouth."""
LIVE_LOOK_AHEAD_MS = 80

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)

PuppetOption = Annotated[Path | None, typer.Option("--puppet", help="Folder of a puppet; the bundled one if none.")]


@app.callback(invoke_without_command=True)
def page(
    context: typer.Context,
    puppet: PuppetOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
) -> None:
    """Serve the page where the puppet speaks with your voice."""
    if context.invoked_subcommand:
        return
    from realtime.web.server import serve

    chosen = load_puppet(puppet)
    asyncio.run(
        serve(
            lambda: puppeteer(chosen, LIVE_LOOK_AHEAD_MS),
            host,
            port,
            lambda address: print(f"{chosen.manifest.name} waits at {address} (Ctrl-C ends it)", flush=True),
            chosen.folder / "preview.jpg",
        )
    )


@app.command()
def render(
    voice: Annotated[Path, typer.Argument(help="A sound file, or a video with sound.")],
    video: Annotated[Path, typer.Argument(help="The MP4 to write.")],
    puppet: PuppetOption = None,
    report: Annotated[Path | None, typer.Option(help="Write stage times and counts here, as JSON.")] = None,
) -> None:
    """Let the puppet speak a sound file, and write the video with its sound."""
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
    animator = puppeteer(load_puppet(puppet), FILE_LOOK_AHEAD_MS)
    with Progress(transient=True) as bar:
        total = ceil(source.seconds * animator.fps) if source.seconds else None
        task = bar.add_task(f"{voice.name} → {video.name}", total=total)
        sinks = [sink, ProgressSink(lambda frames: bar.update(task, completed=frames))]
        asyncio.run(run_loop(source, animator, sinks, live=False, telemetry=telemetry))
    if report:
        write_report(report, telemetry.report() | {"look_ahead_ms": FILE_LOOK_AHEAD_MS})
    print(f"Wrote {video}.")


def load_puppet(folder: Path | None) -> Puppet:
    """The puppet in a folder, or the bundled one."""
    from models.puppet import Puppet

    return Puppet.load(folder) if folder else Puppet.bundled()


def puppeteer(puppet: Puppet, look_ahead_ms: int) -> Puppeteer:
    """The puppet on strings: its networks in the engines that this machine has."""
    from export.engine import FOR_PICTURES, FOR_VOICE, load

    with ThreadPoolExecutor(2) as pool:
        voice = pool.submit(load, puppet.folder / "expression.onnx", FOR_VOICE)
        renderer = pool.submit(load, puppet.folder / "renderer.onnx", FOR_PICTURES, min(2, os.cpu_count() or 1))
        # Importing Numba takes as long as the engines take to start.
        from models.puppeteer import Puppeteer
        from models.voice_stream import VoiceStream

    return Puppeteer(puppet, VoiceStream(voice.result(), look_ahead_ms), renderer.result())


def write_report(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures with the machine they were taken on."""
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "system": platform.platform()}
    try:
        path.write_text(json.dumps({**figures, "machine": machine}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise models.errors.InputError(f"{path} cannot be written: {error.strerror}.") from error


if __name__ == "__main__":
    run(app, (models.errors.InputError, realtime.errors.MarotteError), "Stopped; nothing is left half done.")
