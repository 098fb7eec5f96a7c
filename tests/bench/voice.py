"""Times the voice network as a live stream calls it: python -m tests.bench.voice --json out.json

A call hears one frame's sound, in ONNX Runtime on one thread. What the caches hold by then decides: nothing of it where
the renderer ran in between, as it does live, or where memory larger than any cache was written ("cold").
"""

import argparse
import time
from pathlib import Path

import numpy as np

from export.engine import FOR_PICTURES, FOR_VOICE, load
from models.puppet import Puppet
from models.video import read_sound
from models.voice_stream import DIAL, SAMPLE_RATE
from tests.bench.table import tell

SWEPT = 96 << 20
"""Bytes; more than the caches of a server hold."""
HELLO = Path(__file__).parents[2] / "models/bundled/hello.wav"


def measure(expression: Path, renderer: Path, hop_counts: tuple[int, ...], calls: int) -> list[dict[str, object]]:
    """One row for each piece's length and state of the caches; milliseconds."""
    voice, picture = load(expression, FOR_VOICE), load(renderer, FOR_PICTURES)
    rng = np.random.default_rng(0)
    feed = {
        name: rng.integers(0, 256, (1, 256, 256, channels), dtype=np.uint8)
        for name, channels in (("face", 6), ("photo", 3), ("mask", 1))
    }
    memory = np.zeros(SWEPT, np.uint8)

    def sweep() -> None:
        np.add(memory, 1, out=memory)

    between = {"warm": lambda: None, "after the renderer": lambda: picture(feed), "cold": sweep}
    sound = read_sound(HELLO)
    assert sound is not None
    dial = np.array(DIAL.index(80), np.int64)
    times: dict[tuple[int, str], list[float]] = {}
    for hops in hop_counts:
        samples = 160 * hops
        state = voice.initial_state()
        for call in range(calls):
            start = call * samples % (len(sound) - samples)
            piece = {"samples": sound[None, start : start + samples], "look_ahead": dial}
            for name, disturb in between.items():
                disturb()
                begin = time.perf_counter()
                out = voice({**piece, **state})
                times.setdefault((hops, name), []).append(1000 * (time.perf_counter() - begin))
            state = {name.removeprefix("next_"): tensor for name, tensor in out.items() if name != "expression"}
    return [
        {"sound": f"{1000 * 160 * hops // SAMPLE_RATE} ms", "caches": name}
        | {key: round(float(np.percentile(ms, q)), 3) for key, q in (("p10", 10), ("p50", 50), ("p99", 99))}
        for (hops, name), ms in times.items()
    ]


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--expression", type=Path, help="an expression.onnx; the bundled puppet's if absent")
    arguments = parser.parse_args()
    folder = Puppet.bundled().folder
    expression = arguments.expression or folder / "expression.onnx"
    rows = measure(expression, folder / "renderer.onnx", (1, 4), arguments.calls)
    tell(rows, arguments.json)


if __name__ == "__main__":
    main()
