"""Puppets ready to perform: chosen by folder, their networks in the engines that this machine has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.engine import FOR_VOICE, EngineError, Feed, load

if TYPE_CHECKING:
    from export.choose import Wish
    from models.portrait import Portrait
    from models.puppet import Puppet
    from models.puppeteer import Puppeteer

Around = Callable[[str, Any], Any]
"""Takes a role, and what plays it: a network or, where the GPU draws, a portrait. Gives the same or a wrapper."""

FOLDER = Path("puppets")
"""Where puppets are looked for when none is named."""
CHECKED_FRAMES = 8
"""With which an engine is checked when a performance has to build one; `python -m export` takes more."""
COMPARED_PICTURES = 6
"""That the GPU must draw as the processor does, at every start."""


def cast_of(folder: Path | None, say: Callable[[str], object]) -> list[Puppet]:
    """The puppets that can be chosen from.

    Args:
        folder: of a puppet, or of several; without one the bundled puppet and those in `FOLDER`.
        say: is told which are left out, and why.

    Raises:
        PuppetError: there is none.
    """
    from models.errors import PuppetError
    from models.puppet import Puppet

    found = sorted(manifest.parent for manifest in (folder or FOLDER).glob("*/puppet.json"))
    puppets = [] if found and folder else [only(folder)]
    for path in found:
        try:
            puppets.append(Puppet.load(path))
        except PuppetError as error:
            say(f"Left out: {error}")
    return puppets or [only(folder)]


def only(folder: Path | None) -> Puppet:
    """The puppet in a folder, or the bundled one."""
    from models.puppet import Puppet

    return Puppet.load(folder) if folder else Puppet.bundled()


def puppeteer(
    puppet: Puppet,
    look_ahead_ms: int,
    wish: Wish,
    say: Callable[[str], object],
    *,
    fps: Fraction | None = None,
    size: tuple[int, int] | None = None,
    around: Around = lambda role, part: part,
) -> Puppeteer:
    """The puppet on strings.

    Args:
        puppet: the puppet.
        look_ahead_ms: of the voice network; 0, 40, 80, 160 or 240.
        wish: which engine draws.
        say: is told once what had to be chosen or could not be used.
        fps: pictures a second; the puppet's if none.
        size: width and height of the picture, px; the puppet's if none.
        around: may put something around the "voice" and the "renderer", or in their place. Where the GPU draws whole
            pictures, these are what it is given as the renderer.

    Raises:
        EngineError: no engine that was wished for can run it.
    """

    with ThreadPoolExecutor(2) as pool:
        voice = pool.submit(load, puppet.folder / "expression.onnx", FOR_VOICE)
        portrait = pool.submit(_portrait, puppet, wish, say, around)
        # Importing Numba takes as long as the engines take to start.
        from models.puppeteer import Puppeteer
        from models.voice_stream import VoiceStream

    stream = VoiceStream(around("voice", voice.result()), look_ahead_ms)
    return Puppeteer(puppet, stream, portrait.result(), fps, size)


def _portrait(puppet: Puppet, wish: Wish, say: Callable[[str], object], around: Around) -> Portrait:
    """What draws the puppet."""
    from export import choose
    from models.portrait import PaintedPortrait

    if wish.device == "cuda" and wish.engine in ("auto", "torch"):
        try:
            graph: Portrait = around("renderer", _graph(puppet))
            return graph
        except EngineError as error:
            say(f"{error} The renderer alone runs there.")

    def record() -> Sequence[Feed]:
        from export import recorded  # it needs what is being imported elsewhere

        return recorded.frames(puppet, CHECKED_FRAMES)

    renderer = choose.renderer(puppet.folder / "renderer.onnx", wish, record, say)
    return PaintedPortrait(puppet, around("renderer", renderer))


def _graph(puppet: Puppet) -> Portrait:
    """The GPU, after it has drawn a few pictures as the processor draws them."""
    from export import choose, recorded
    from export.onnxruntime_engine import OnnxRuntimeNetwork
    from export.portrait_graph import PortraitGraph, check
    from models.portrait import PaintedPortrait

    graph = PortraitGraph(puppet)
    voice = load(puppet.folder / "expression.onnx", FOR_VOICE)
    right = PaintedPortrait(puppet, OnnxRuntimeNetwork(puppet.folder / "renderer.onnx", choose.THREADS))
    check(puppet, graph, right, recorded.expressions(puppet, COMPARED_PICTURES, voice))
    return graph
