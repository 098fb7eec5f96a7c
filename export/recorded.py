"""Real inputs of a puppet's networks, to check engines with: its own background while the bundled voice speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.engine import FOR_VOICE, Feed, load
from export.stand_in import PhotoRenderer
from models.network import Network
from models.portrait import PaintedPortrait
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


def frames(puppet: Puppet, count: int, voice: Network | None = None) -> list[Feed]:
    """The renderer's inputs in `count` frames in a row."""
    recorder = _Recorder()
    stream = VoiceStream(voice or load(puppet.folder / "expression.onnx", FOR_VOICE), LOOK_AHEAD_MS)
    puppeteer = Puppeteer(puppet, stream, PaintedPortrait(puppet, recorder))
    state, heard = puppeteer.initial_state(), 0
    sound = _sound(SAMPLE_RATE * (count + 8) // int(puppet.fps))
    for n in range(count):
        end = (n + 1) * SAMPLE_RATE * puppet.fps.denominator // puppet.fps.numerator + puppeteer.look_ahead
        _, state = puppeteer.step(sound[heard:end], state)
        heard = end
    return recorder.feeds


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
