"""Streams hours of sound through the voice network: python -m tests.bench.voice_hours --hours 8

The bundled voice is said over and over, without waiting, in the pieces that a live stream has. Each time the mouth must
move as it did when the voice first followed itself: any difference is drift.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from export.engine import FOR_VOICE, load
from models.puppet import Puppet
from models.video import read_sound
from models.voice_stream import HOP, SAMPLE_RATE, VoiceStream

HELLO = Path(__file__).parents[2] / "models/bundled/hello.wav"
PIECE = SAMPLE_RATE // 25
SETTLED = 3
"""Times it was said by then: the network remembers some 12 s."""


def resident_mb() -> float:
    """Memory of this process that lies in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(hours: float, look_ahead_ms: int) -> dict[str, object]:
    """Stream, and say what grew, drifted or broke."""
    stream = VoiceStream(load(Puppet.bundled().folder / "expression.onnx", FOR_VOICE), look_ahead_ms)
    sound = read_sound(HELLO)
    assert sound is not None
    pieces = len(sound) // PIECE
    state = stream.initial_state()
    first = np.zeros(0, np.float32)
    memory: list[float] = []
    drift, finite, begin = 0.0, True, time.perf_counter()
    rounds = max(SETTLED + 1, round(hours * 3600 * SAMPLE_RATE / (pieces * PIECE)))
    for turn in range(rounds):
        rows = []
        for piece in range(pieces):
            state = stream.push(sound[piece * PIECE : (piece + 1) * PIECE], state)
            rows.append(stream.expression_at((turn * pieces + piece) * PIECE, state))
        said = np.stack(rows)
        finite = finite and bool(np.isfinite(said).all())
        if turn == SETTLED:
            first = said
        if turn >= SETTLED:
            drift = max(drift, float(np.abs(said - first).max()))
            memory.append(resident_mb())
    heard = rounds * pieces * PIECE
    assert state.hops * HOP == heard
    return {
        "hours": round(heard / SAMPLE_RATE / 3600, 3),
        "pieces": rounds * pieces,
        "finite": finite,
        "drift, share of the largest": drift / float(np.abs(first).max()),
        "memory MB, first and last": (round(memory[0], 1), round(memory[-1], 1)),
        "state, numbers": sum(tensor.size for tensor in state.network.values()),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
    }


def main() -> None:
    """Print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--look-ahead", type=int, default=80)
    arguments = parser.parse_args()
    for name, value in measure(arguments.hours, arguments.look_ahead).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
