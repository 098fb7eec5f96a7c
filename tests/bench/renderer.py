"""Times the renderers in the engines of the live path: python -m tests.bench.renderer --json out.json

Weights are fresh: the speed is real, the picture is not. Cases are interleaved and repeated in rounds, so that a busy
moment of the machine falls on all of them.
"""

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np

from export.engine import load
from export.onnx_file import write_renderer
from models.renderer import KINDS, build
from tests.bench.table import tell

ENGINES = ("openvino", "onnxruntime")
THREADS = (1, 2)


def measure(rounds: int, calls: int) -> list[dict[str, object]]:
    """One row per renderer, engine and number of threads; milliseconds."""
    rng = np.random.default_rng(0)
    feed = {
        name: rng.integers(0, 256, (1, 256, 256, channels), dtype=np.uint8)
        for name, channels in (("face", 6), ("photo", 3), ("mask", 1))
    }
    times: dict[tuple[str, str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        networks = {}
        for kind in KINDS:
            path = Path(folder) / f"{kind}.onnx"
            write_renderer(build(kind), path)
            for engine, threads in product(ENGINES, THREADS):
                networks[kind, engine, threads] = load(path, (engine,), threads)
        for _ in range(rounds):
            for case, network in networks.items():
                network(feed)
                for _ in range(calls):
                    start = time.perf_counter()
                    network(feed)
                    times.setdefault(case, []).append(1000 * (time.perf_counter() - start))
    return [
        {"renderer": kind, "engine": engine, "threads": threads}
        | {name: round(float(np.percentile(ms, q)), 2) for name, q in (("p10", 10), ("median", 50), ("p99", 99))}
        for (kind, engine, threads), ms in times.items()
    ]


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=10)
    arguments = parser.parse_args()
    rows = measure(arguments.rounds, arguments.calls)
    tell(rows, arguments.json)


if __name__ == "__main__":
    main()
