"""Speak through a puppet.

python serve.py                                  a page in the browser: choose a WAV or use the microphone
python serve.py render hello.wav hello.mp4       a voice file becomes a video
python serve.py camera                           a camera for video calls that speaks with your voice
python serve.py window                           the same in a window
python serve.py publish https://…/whip           the same for a streaming server
python serve.py devices                          microphones and outputs to choose from
python serve.py bench                            how long it takes from the microphone to the picture
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import models.errors
import realtime.errors
from export import stage
from export.engine import DEVICES, ENGINES
from models.command_line import Size, look_ahead, one_of, rate, run, spread
from realtime.bench.through import Through

if TYPE_CHECKING:
    from models.puppet import Puppet
    from models.puppeteer import Puppeteer
    from realtime.ports import VideoSink
    from realtime.sources.mute import MuteSwitch
    from realtime.telemetry import Telemetry

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
    device: Annotated[
        str,
        typer.Option(parser=one_of("device", *DEVICES), metavar="DEVICE", help="Where the face is drawn: cpu, cuda."),
    ] = "cpu"
    engine: Annotated[
        str,
        typer.Option(
            parser=one_of("engine", "auto", *ENGINES), metavar="ENGINE", help=f"What draws: auto, {', '.join(ENGINES)}."
        ),
    ] = "auto"
    report: Annotated[Path | None, typer.Option(help="Write stage times and counts here, as JSON.")] = None


@dataclass(frozen=True, slots=True)
class Live:
    """The options of commands that are spoken to."""

    microphone: Annotated[
        str | None, typer.Option(metavar="NAME|NUMBER", help="Which microphone; the default one if none.")
    ] = None
    voice: Annotated[Path | None, typer.Option(help="Speak this sound file, in real time, instead.")] = None
    voice_out: Annotated[
        str | None,
        typer.Option(metavar="NAME|NUMBER", help="Play the voice, delayed as the picture is, to this output."),
    ] = None
    virtual_microphone: Annotated[
        bool, typer.Option("--virtual-microphone", help="Be a microphone, too, with the delayed voice (Linux).")
    ] = False
    record: Annotated[Path | None, typer.Option(help="Record picture and voice in this MP4.")] = None


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
    from realtime.web.house import Choice
    from realtime.web.server import serve

    access = Access(host, token, cert, key, insecure)
    puppets = stage.cast_of(settings.puppet, warn)
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
    animator = puppeteer(settings, stage.only(settings.puppet))
    with Progress(transient=True) as bar:
        total = ceil(source.seconds * animator.fps) if source.seconds else None
        task = bar.add_task(f"{voice.name} → {video.name}", total=total)
        sinks: list[VideoSink] = [sink, ProgressSink(lambda frames: bar.update(task, completed=frames))]
        asyncio.run(run_loop(source, animator, sinks, live=False, telemetry=telemetry))
    write_report(settings, telemetry.report())
    print(f"Wrote {video}.")


@app.command()
@spread(Settings)
@spread(Live)
def camera(
    settings: Settings,
    live: Live,
    camera: Annotated[str | None, typer.Option(help="Name of the virtual camera; the first one if none.")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show the picture here as well, mirrored.")] = False,
) -> None:
    """Be a camera that video calls can choose: the puppet speaks as you do.

    The signal USR1, or M in the window of --preview, mutes the voice and lets it be heard again.

    A call should hear the voice when it sees it: choose the microphone Marotte there (--virtual-microphone), or a
    virtual cable (--voice-out).

    Example: python serve.py camera --size 1280x720 --virtual-microphone
    """
    from realtime.sinks.virtual_camera import VirtualCamera, check
    from realtime.sinks.window import Window

    camera_sink = VirtualCamera(camera, lambda name: print(f"Choose the camera {name}. Ctrl-C ends it.", flush=True))
    check(camera)
    perform(
        settings,
        live,
        lambda telemetry, voice: [
            camera_sink,
            *([Window(telemetry, mirrored=True, mute=voice.toggle)] if preview else []),
        ],
    )


@app.command()
@spread(Settings)
@spread(Live)
def window(settings: Settings, live: Live) -> None:
    """Show the puppet in a window, with its delay. M mutes the voice and lets it be heard again.

    Example: python serve.py window --look-ahead 40 --microphone 2
    """
    from realtime.sinks.window import Window

    perform(settings, live, lambda telemetry, voice: [Window(telemetry, closed=voice.close, mute=voice.toggle)])


@app.command()
@spread(Settings)
@spread(Live)
def publish(
    url: Annotated[str, typer.Argument(help="The server's WHIP endpoint.")],
    settings: Settings,
    live: Live,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="MAROTTE_WHIP_TOKEN", help="What the server asks for; better given as $MAROTTE_WHIP_TOKEN."
        ),
    ] = None,
) -> None:
    """Publish the puppet to a streaming server, by WHIP.

    Example: python serve.py publish https://live.example.org/whip/room --token …
    """
    from realtime.clock import MonotonicClock
    from realtime.web.whip import WhipSink

    sink = WhipSink(url, token, MonotonicClock())
    perform(settings, live, lambda telemetry, voice: [sink])


@app.command()
def devices() -> None:
    """List microphones, outputs and cameras to choose from.

    Example: python serve.py devices
    """
    from rich.console import Console
    from rich.table import Table

    from realtime import sound_system
    from realtime.sinks.virtual_camera import cameras

    table = Table("number", "name", "microphone", "output", box=None)
    for device in sound_system.devices():
        channels = ["yes" if count else "" for count in (device.inputs, device.outputs)]
        table.add_row(f"{device.number}{' (default)' if device.is_default else ''}", device.name, *channels)
    console = Console()
    console.print(table if table.row_count else "No microphone and no output was found: plug one in.")
    console.print(f"Virtual cameras: {', '.join(cameras()) or 'none that can be listed'}.")


latency = typer.Typer(add_completion=False)
app.add_typer(latency, name="bench")


@latency.callback(invoke_without_command=True)
@spread(Settings, look_ahead=40)
def bench(
    context: typer.Context,
    settings: Settings,
    through: Annotated[
        Through, typer.Option(help="Who sees the pictures; null is the device's boundary.")
    ] = Through.NULL,
    seconds: Annotated[float, typer.Option(help="How long to speak.", min=6)] = 60,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    picture: Annotated[Path | None, typer.Option("--plot", help="Draw the delay here, as PNG.")] = None,
    acoustic: Annotated[
        bool, typer.Option("--acoustic", help="Speak clicks with vowels; find the frames that open the mouth.")
    ] = False,
    silent: Annotated[
        bool, typer.Option("--silent", help="Do not send the voice back: webrtc and chromium get the picture alone.")
    ] = False,
    losses: Annotated[
        bool,
        typer.Option(
            "--losses", help="Lose and delay packets for 5 s in 15; how soon is that over? (webrtc, chromium)"
        ),
    ] = False,
) -> None:
    """Measure the delay from the microphone to the picture.

    A voice is spoken in real time, and who sees the pictures reads the numbers back that are painted into them. For a
    third of the time the networks are replaced by identity, which gives the floor.

    Example: python serve.py bench --look-ahead 0 --json delay.json --plot delay.png
    """
    if context.invoked_subcommand:
        return
    from rich.console import Console

    from export.stand_in import Timed, stand_in
    from realtime.bench import benchmark, plot, report
    from realtime.bench.mouth import clicks_and_vowels
    from realtime.bench.rehearsal import PhasedTelemetry
    from realtime.clock import MonotonicClock

    if picture:
        plot.check()
    telemetry = PhasedTelemetry(MonotonicClock())
    chosen = stage.only(settings.puppet)
    engines = {}

    def timed(role: str, part: Callable[..., Any]) -> Timed[Any]:
        engines[role] = type(part).__name__.removesuffix("Network")
        return Timed(part, lambda: telemetry.measure(role))

    real = puppeteer(settings, chosen, timed)
    floor = puppeteer(replace(settings, device="cpu", engine="auto"), chosen, stand_in)
    if acoustic:
        voice, clicks = clicks_and_vowels(seconds)
    else:
        hello = Path(__file__).parent / "models/bundled/hello.wav"
        voice, clicks = asyncio.run(benchmark.read_voice(hello, seconds)), None
    measured, series = asyncio.run(
        benchmark.measure(real, floor, telemetry, voice, through, MonotonicClock(), clicks, not silent, losses)
    )
    about = {
        "puppet": chosen.manifest.name,
        "engine": ", ".join(f"{role} in {engine}" for role, engine in engines.items()),
        "look_ahead_ms": settings.look_ahead,
    }
    result = about | measured
    Console().print(report.table(result))
    if json_file:
        report.write(json_file, result)
    if picture:
        plot.plot(picture, result, series)
    write_report(settings, telemetry.report())


@latency.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A file of bench --json.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
) -> None:
    """Print the figures of two benchmarks and their ratios.

    Example: python serve.py bench compare before.json after.json
    """
    from rich.console import Console

    from realtime.bench import report

    Console().print(report.compare(first, second))


def perform(settings: Settings, live: Live, shown: Callable[[Telemetry, MuteSwitch], list[VideoSink]]) -> None:
    """Let the puppet speak with a live voice; `shown` makes the sinks, which may end or mute it."""
    from realtime import live as performance
    from realtime.clock import MonotonicClock
    from realtime.telemetry import Telemetry

    clock = MonotonicClock()
    telemetry = Telemetry(clock)
    source = performance.voice(live.voice, live.microphone, clock, telemetry)
    sinks = shown(telemetry, source) + performance.sound_sinks(live.voice_out, live.virtual_microphone, live.record)
    animator = puppeteer(settings, stage.only(settings.puppet))
    asyncio.run(performance.perform(source, animator, sinks, telemetry, clock))
    write_report(settings, telemetry.report())


def puppeteer(settings: Settings, puppet: Puppet, around: stage.Around = lambda role, part: part) -> Puppeteer:
    """The puppet on strings, as it was asked for; see `stage.puppeteer`."""
    from export.choose import Wish

    size = (settings.size.width, settings.size.height) if settings.size else None
    wish = Wish.of(settings.device, settings.engine)
    return stage.puppeteer(puppet, settings.look_ahead, wish, warn, fps=settings.fps, size=size, around=around)


def warn(sentence: str) -> None:
    """Tell the user."""
    print(sentence, file=sys.stderr, flush=True)


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
