"""Real inputs of a puppet's networks, to check engines with: its own background while the bundled voice speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.engine import FOR_VOICE, Feed, load
from export.stand_in import PhotoRenderer
from models.network import Network
from models.portrait import PaintedPortrait, Portrait
from models.puppet import Puppet
from models.puppeteer import Puppeteer
from models.video import read_sound
from models.voice_stream import HOP, SAMPLE_RATE, Samples, VoiceStream

HELLO = Path(__file__).parents[1] / "models" / "bundled" / "hello.wav"
LOOK_AHEAD_MS = 80
STEPS = 1000
"""Of a hop each, through which the voice network is streamed."""


class _Recorder(PhotoRenderer):
    """A renderer that keeps what it is given."""

    def __init__(self) -> None:
        self.feeds: list[Feed] = []

    def __call__(self, feed: Feed) -> dict[str, np.ndarray]:
        self.feeds.append({name: array.copy() for name, array in feed.items()})
        return super().__call__(feed)


class _Asked:
    """A portrait that keeps the expressions it is asked for."""

    def __init__(self, puppet: Puppet) -> None:
        self.expressions: list[NDArray[np.float32]] = []
        self._blank = np.zeros((puppet.manifest.height, puppet.manifest.width, 3), np.uint8)

    def __call__(self, expression: NDArray[np.float32], number: int) -> NDArray[np.uint8]:
        self.expressions.append(expression)
        return self._blank


def frames(puppet: Puppet, count: int, voice: Network | None = None) -> list[Feed]:
    """The renderer's inputs in `count` frames in a row."""
    recorder = _Recorder()
    _perform(puppet, count, PaintedPortrait(puppet, recorder), voice)
    return recorder.feeds


def expressions(puppet: Puppet, count: int, voice: Network) -> list[NDArray[np.float32]]:
    """Those of `count` frames in a row, [K] each in the puppet's own coefficients."""
    asked = _Asked(puppet)
    _perform(puppet, count, asked, voice)
    return asked.expressions


def _perform(puppet: Puppet, count: int, portrait: Portrait, voice: Network | None) -> None:
    """Let the bundled voice speak for `count` frames."""
    stream = VoiceStream(voice or load(puppet.folder / "expression.onnx", FOR_VOICE), LOOK_AHEAD_MS)
    puppeteer = Puppeteer(puppet, stream, portrait)
    state, heard = puppeteer.initial_state(), 0
    sound = _sound(SAMPLE_RATE * (count + 8) // int(puppet.fps))
    for n in range(count):
        end = (n + 1) * SAMPLE_RATE * puppet.fps.denominator // puppet.fps.numerator + puppeteer.look_ahead
        _, state = puppeteer.step(sound[heard:end], state)
        heard = end


def hops() -> list[Feed]:
    """The voice network's inputs in STEPS hops in a row."""
    dial = np.array(2, np.int64)
    pieces = _sound(STEPS * HOP).reshape(STEPS, 1, HOP)
    return [{"samples": piece, "look_ahead": dial} for piece in pieces]


def _sound(length: int) -> Samples:
    """The bundled voice, over and over."""
    sound = read_sound(HELLO)
    assert sound is not None, "the bundled voice is part of the program"
    return np.resize(sound, length)
