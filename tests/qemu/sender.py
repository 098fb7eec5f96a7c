"""A test card sent to the virtual camera, by the loop and the sink that `serve.py camera` uses.

In the machine: python -m tests.qemu.sender --size 1280x720 --fps 25 --sent sent.json

The card has coloured fields, and the number of each frame is painted into it. It is sent until SIGTERM, at most for an
hour. Then the numbers that were sent are written, with their times: what was never sent is no loss of a reader's.
"""

import argparse
import asyncio
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from realtime import live
from realtime.bench import frame_number
from realtime.bench.capture import PacedCapture
from realtime.clock import MonotonicClock
from realtime.media import SAMPLE_RATE
from realtime.sinks.virtual_camera import VirtualCamera
from realtime.telemetry import Telemetry

HOUR = 3600 * SAMPLE_RATE
COLOURS = {  # 8-bit RGB
    "white": (235, 235, 235),
    "grey": (128, 128, 128),
    "black": (16, 16, 16),
    "red": (200, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 60, 180),
    "yellow": (210, 200, 50),
    "skin": (224, 172, 140),
}


class TestCard:
    """`realtime.ports.Animator` that needs no network: upright fields of `COLOURS` under the number of the frame."""

    __test__ = False  # for pytest
    look_ahead = 0

    def __init__(self, width: int, height: int, fps: Fraction) -> None:
        self.width, self.height, self.fps = width, height, fps
        fields = np.arange(width) * len(COLOURS) // width
        row = np.array(list(COLOURS.values()), np.uint8)[fields]
        self._card = np.repeat(row[None], height, 0)

    def initial_state(self, frame: int = 0) -> int:
        return frame

    def hear(self, samples: np.ndarray, state: int) -> int:
        return state + 1

    def step(self, samples: np.ndarray, state: int) -> tuple[np.ndarray, int]:
        picture = self._card.copy()
        frame_number.paint(picture, state)
        return picture, state + 1


def colour_error(picture: np.ndarray) -> float:
    """How far the fields of a card, RGB uint8 [H, W, 3], are from their colours at worst, in grey levels."""
    height, width = picture.shape[:2]
    middles = (2 * np.arange(len(COLOURS)) + 1) * width // (2 * len(COLOURS))
    fields = [picture[height // 2 - 4 : height // 2 + 4, x - 4 : x + 4].mean((0, 1)) for x in middles]
    return float(np.abs(np.array(fields) - list(COLOURS.values())).max())


class _Noted(VirtualCamera):
    """The virtual camera; keeps which numbers it was sent, and when (s)."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.sent: list[tuple[int, float]] = []

    async def show(self, frame, sound):
        self.sent.append((frame.number, MonotonicClock().now()))
        await super().show(frame, sound)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", required=True)
    parser.add_argument("--fps", type=Fraction, required=True)
    parser.add_argument("--sent", type=Path, required=True)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    clock = MonotonicClock()
    camera = _Noted(announce=lambda name: print(name, flush=True))
    silence = PacedCapture(np.zeros(HOUR, np.float32), clock)
    telemetry = Telemetry(clock)
    asyncio.run(live.perform(silence, TestCard(width, height, options.fps), [camera], telemetry, clock))
    options.sent.write_text(json.dumps(camera.sent))


if __name__ == "__main__":
    main()
