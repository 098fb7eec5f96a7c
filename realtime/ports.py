"""The three seams of the loop: where sound comes from, what turns it into pictures, where the pictures go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from realtime.media import AudioChunk, Samples, StreamSpec, VideoFrame

State = TypeVar("State")


class AudioSource(Protocol):
    """A voice."""

    def chunks(self) -> AsyncIterator[AudioChunk]:
        """The sound, in order, in pieces of any size, also empty ones. A gap before a piece is sound that was lost.

        A piece of a new generation says that the source was flushed. It should come at once, be it empty.

        Raises:
            InputError: the file or device cannot be read.
        """
        ...

    def close(self) -> None:
        """End the sound: `chunks` stops after what it has. May be called at any time, and twice."""
        ...


class Animator(Protocol[State]):
    """Turns a voice into pictures; its state is a value that the caller keeps."""

    @property
    def width(self) -> int:
        """px"""
        ...

    @property
    def height(self) -> int:
        """px"""
        ...

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        ...

    @property
    def look_ahead(self) -> int:
        """Samples after a frame's end that must be heard before it can be drawn.

        Below 0, down to a frame's length, the frame is drawn before its end, and its sound comes so much later.
        """
        ...

    def initial_state(self, frame: int = 0) -> State:
        """The state of a stream of which nothing has been heard, and whose next picture is number `frame`."""
        ...

    def hear(self, samples: Samples, state: State) -> State:
        """What `step` does, without the picture: for one that would come too late. Takes little time."""
        ...

    def step(self, samples: Samples, state: State) -> tuple[NDArray[np.uint8], State]:
        """Draw the next frame.

        Args:
            samples: the new samples, up to `samples_before(n + 1) + look_ahead` for picture n: without those that
                pictures before it were given, heard by this state or not.
            state: what the step before returned, or `initial_state()`.

        Returns:
            The picture, uint8 [H, W, 3] RGB, not written to afterwards; and the next state.
        """
        ...


class VideoSink(Protocol):
    """A place for pictures and the sound that belongs to them.

    A sink that was opened is closed, or, when anything failed (its own closing included), aborted.
    """

    async def open(self, spec: StreamSpec) -> None:
        """Get ready.

        Raises:
            InputError: the file or device cannot be used.
        """
        ...

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        """Take a picture and its sound. Pictures may have been left out before it; their sound comes with it.

        Where a picture is drawn before its end (`Animator.look_ahead`), the sound is that of somewhat earlier.

        Where sound is left out, because the source was flushed, there is to be silence.

        Raises:
            SinkLost: no more pictures can be taken.
        """
        ...

    async def close(self) -> None:
        """Finish what was shown."""
        ...

    def abort(self) -> None:
        """Throw away what was shown and leave nothing behind. Does not wait, so that nothing can interrupt it."""
        ...
