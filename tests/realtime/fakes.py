"""Small real sources, animators and sinks."""

import asyncio
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from realtime.errors import SinkLost
from realtime.media import SAMPLE_RATE, AudioChunk


class LoudnessAnimator:
    """Paints the loudness of the samples it got as a bar, and the frame's number as 16 bits on the top row."""

    def __init__(self, fps=Fraction(25), look_ahead=0, size=(64, 48), cost: Callable[[int], float] = lambda number: 0):
        self.width, self.height = size
        self.fps = Fraction(fps)
        self.look_ahead = look_ahead
        self.got: list[int] = []
        self._cost = cost

    def initial_state(self, frame=0):
        return frame

    def hear(self, samples, state):
        self.got.append(len(samples))
        return state + 1

    def step(self, samples, state):
        if cost := self._cost(state):
            asyncio.get_running_loop().spend(cost)
        self.got.append(len(samples))
        picture = np.full((self.height, self.width, 3), 30, np.uint8)
        loudness = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
        picture[self.height - round(min(1, loudness) * (self.height - 8)) :] = (40, 200, 90)
        paint_number(picture, state)
        return picture, state + 1


def paint_number(picture, number):
    """16 blocks over the top eighth, the least bit on the left."""
    width = picture.shape[1] // 16
    for bit in range(16):
        picture[: picture.shape[0] // 8, bit * width : (bit + 1) * width] = 255 * (number >> bit & 1)


def read_number(picture):
    """What `paint_number` painted, also after compression."""
    width = picture.shape[1] // 16
    blocks = picture[: picture.shape[0] // 8, : 16 * width].reshape(picture.shape[0] // 8, 16, width, -1)
    return sum(1 << bit for bit in range(16) if blocks[:, bit].mean() > 127)


class ListSource:
    """Gives samples in blocks; with a clock, block n comes when it would have been heard, plus `late(n)`."""

    def __init__(self, samples, block=160, clock=None, late: Callable[[int], float] = lambda block: 0.0):
        self.samples = np.asarray(samples, np.float32)
        self.block = block
        self.closed = False
        self._clock = clock
        self._late = late

    async def chunks(self):
        begin = self._clock.now() if self._clock else 0.0
        for number, start in enumerate(range(0, len(self.samples), self.block)):
            if self.closed:
                return
            piece = self.samples[start : start + self.block]
            if self._clock:
                await self._clock.sleep_until(begin + (start + len(piece)) / SAMPLE_RATE + self._late(number))
            yield AudioChunk(piece, start)

    def close(self):
        self.closed = True


class FlushedSource(ListSource):
    """A live ListSource that is flushed at the given moments (s, ends of blocks); after each there is a pause."""

    def __init__(self, samples, clock, moments, pause=0.3):
        super().__init__(samples, clock=clock)
        self.samples = self.samples.copy()
        self._moments = moments
        for moment in moments:
            at = round(moment * SAMPLE_RATE)
            self.samples[at : at + round(pause * SAMPLE_RATE)] = 0

    async def chunks(self):
        generation = 0
        async for chunk in super().chunks():
            yield AudioChunk(chunk.samples, chunk.start, generation)
            if generation < len(self._moments) and round(self._moments[generation] * SAMPLE_RATE) <= chunk.end:
                generation += 1
                yield AudioChunk(np.zeros(0, np.float32), chunk.end, generation)


class ListSink:
    """Keeps everything, with the time it came."""

    def __init__(self, clock=None, lose_at=None, cost=0.0):
        self.shown = []
        self.ended = "never opened"
        self._clock = clock
        self._lose_at = lose_at
        self._cost = cost

    async def open(self, spec):
        self.spec = spec
        self.ended = "open"

    async def show(self, frame, sound):
        if frame.number == self._lose_at:
            raise SinkLost("the disk is full")
        if self._cost:
            await asyncio.sleep(self._cost)
        self.shown.append((frame.number, sound, self._clock.now() if self._clock else None, read_number(frame.pixels)))

    async def close(self):
        self.ended = "closed"

    def abort(self):
        self.ended = "aborted"

    @property
    def numbers(self):
        return [shown[0] for shown in self.shown]

    @property
    def sound(self):
        return np.concatenate([shown[1].samples for shown in self.shown])

    @property
    def times(self):
        return np.array([shown[2] for shown in self.shown])


def voice(seconds, seed=0):
    """Noise that swells and fades like syllables; float32 at 16 kHz."""
    count = round(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(seed).uniform(-1, 1, count)
    return (noise * np.sin(np.arange(count) * 2 * np.pi * 2 / SAMPLE_RATE) ** 2 * 0.5).astype(np.float32)
