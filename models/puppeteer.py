"""The puppeteer: samples of a voice in, pictures of the puppet out, one step per video frame.

It is the live path from end to end and knows neither the clock nor the network engines: these are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from models.letterbox import Letterbox
from models.portrait import Portrait
from models.puppet import Puppet
from models.voice_stream import HOP, SAMPLE_RATE, Samples, VoiceState, VoiceStream


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a stream remembers."""

    voice: VoiceState
    frame: int
    """Number of the frame that the next step shows."""
    heard_from: int = 0
    """Number of the first sample that the voice has heard."""


class Puppeteer:
    """Moves one puppet. `step` is to be called from one thread at a time."""

    def __init__(
        self,
        puppet: Puppet,
        voice: VoiceStream,
        portrait: Portrait,
        fps: Fraction | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Take up a puppet.

        Args:
            puppet: who is shown.
            voice: hears the voice.
            portrait: draws.
            fps: pictures a second; the background's own if None. The mouth moves at this rate, the background and the
                head at theirs.
            size: width and height of the pictures, px; the background's own if None.
        """
        own_size = puppet.manifest.width, puppet.manifest.height
        self.width, self.height = size or own_size
        self.fps: Fraction = fps or puppet.fps
        self.look_ahead = voice.look_ahead - _shortest_frame(self.fps) + _wait_for_hop(self.fps)
        """Samples after a frame's end that its step needs; below 0, so many before its end are enough."""
        self._puppet = puppet
        self._letterbox = Letterbox(own_size, (self.width, self.height))
        self._voice = voice
        self._portrait = portrait

    def initial_state(self, frame: int = 0) -> State:
        """A stream that has heard nothing and shows frame `frame` next; the background and the head go on."""
        return State(self._voice.initial_state(), frame, self._begin(frame) + self.look_ahead if frame else 0)

    def hear(self, samples: Samples, state: State) -> State:
        """Hear the samples that frame `state.frame` adds, and let it pass undrawn."""
        return State(self._voice.push(samples, state.voice), state.frame + 1, state.heard_from)

    def step(self, samples: Samples, state: State) -> tuple[UInt8[NDArray[np.uint8], "H W 3"], State]:
        """Hear the samples that frame `state.frame` adds (see `realtime.ports.Animator`) and draw that frame."""
        after = self.hear(samples, state)
        # As in a filmed video, a frame shows the moment at which its time begins.
        moment = self._begin(state.frame) - state.heard_from
        heard = after.voice.rows is not None
        universal = (
            self._voice.expression_at(moment, after.voice) if heard else np.zeros_like(self._puppet.voice.gain[0])
        )
        expression = self._puppet.voice(universal)
        behind = int(state.frame * self._puppet.fps / self.fps)
        return self._letterbox(self._portrait(expression, behind)), after

    def _begin(self, frame: int) -> int:
        """Number of the sample with which a frame begins."""
        return frame * SAMPLE_RATE * self.fps.denominator // self.fps.numerator


def _shortest_frame(fps: Fraction) -> int:
    """Samples that every frame lasts at least."""
    return SAMPLE_RATE * fps.denominator // fps.numerator


def _wait_for_hop(fps: Fraction) -> int:
    """Samples until the hop that a frame's beginning falls into is whole: none if frames begin with hops."""
    return HOP - 1 if SAMPLE_RATE * fps.denominator % (HOP * fps.numerator) else 0
