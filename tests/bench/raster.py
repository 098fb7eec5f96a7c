"""Times the rasterizer: python -m tests.bench.raster --json out.json

Cases are interleaved and repeated in rounds, so that a busy moment of the machine falls on all of them. On a machine
with a CUDA device and torch, the CUDA rows are timed as well, launched plainly and inside a CUDA graph.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numba
import numba.cuda
import numpy as np

from kernels.rasterizer import Rasterizer
from tests.kernels.meshes import see, sphere

TRIANGLES, SIZES = (35_000, 70_000), (256, 512)
OUTPUTS = ((8, np.float32), (6, np.uint8))  # attributes; the second is what the renderer's conditioning asks for


@dataclass(frozen=True)
class Case:
    """One row of the table; `draw` runs it once and gives the milliseconds that count."""

    backend: str
    triangles: int
    size: int
    attributes: int
    dtype: str
    batch: int
    draw: Callable[[], float]


def head(triangles: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices on the screen and triangles of a turned ellipsoid that covers about 43 % of the picture."""
    points, faces = sphere(triangles)
    return see(points, 2, size, size, fill=0.80), faces


def cpu_cases() -> Iterator[Case]:
    """Drawing NumPy arrays on one core."""
    for triangles in TRIANGLES:
        for size in SIZES:
            vertices, faces = head(triangles, size)
            for channels, dtype in OUTPUTS:
                rasterizer, out = Rasterizer(size, size, faces), np.empty((size, size, channels), dtype)
                attributes = np.random.default_rng(0).random((len(vertices), channels), np.float32)

                def draw(rasterizer=rasterizer, arrays=(vertices, attributes, out)) -> float:
                    start = time.perf_counter()
                    rasterizer.draw(*arrays)
                    return 1e3 * (time.perf_counter() - start)

                yield Case("cpu", len(faces), size, channels, np.dtype(dtype).name, 1, draw)


def cuda_cases() -> Iterator[Case]:
    """Drawing torch tensors: device time between two events, launched from Python and replayed from a graph."""
    import torch

    for triangles in TRIANGLES:
        for size in SIZES:
            vertices, faces = (torch.from_numpy(array).cuda() for array in head(triangles, size))
            for channels, dtype in OUTPUTS:
                rasterizer = Rasterizer(size, size, faces)
                attributes = torch.rand(len(vertices), channels, device="cuda")
                out = torch.empty(size, size, channels, dtype=getattr(torch, np.dtype(dtype).name), device="cuda")

                def launch(rasterizer=rasterizer, arrays=(vertices, attributes, out)) -> None:
                    rasterizer.draw(*arrays, stream=torch.cuda.current_stream().cuda_stream)

                launch()
                torch.cuda.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    launch()
                for backend, work in (("cuda", launch), ("cuda_graph", graph.replay)):

                    def draw(work=work) -> float:
                        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                        start.record()
                        work()
                        end.record()
                        end.synchronize()
                        return start.elapsed_time(end)

                    yield Case(backend, len(faces), size, channels, np.dtype(dtype).name, 1, draw)


def measure(cases: list[Case], rounds: int, burst: int) -> list[dict[str, object]]:
    """Rounds over all cases, forwards and back; the first two draws of a burst warm the caches and do not count."""
    times: dict[int, list[float]] = {index: [] for index in range(len(cases))}
    for turn in range(rounds):
        for index in list(times)[:: 1 if turn % 2 == 0 else -1]:
            times[index] += [cases[index].draw() for _ in range(burst + 2)][2:]
    rows = []
    for case, taken in zip(cases, times.values(), strict=True):
        row = {key: value for key, value in asdict(case).items() if key != "draw"}
        quantiles = zip(("min_ms", "p10_ms", "p50_ms", "p99_ms"), np.percentile(taken, [0, 10, 50, 99]), strict=True)
        rows.append(row | {key: round(float(value), 4) for key, value in quantiles})
    return rows


def machine() -> dict[str, object]:
    """What the figures depend on."""
    processor = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    about = {
        "processor": processor,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
    return about | ({"device": numba.cuda.get_current_device().name.decode()} if numba.cuda.is_available() else {})


def main() -> None:
    """Print the table, and write it if asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", type=Path, help="where to write the rows")
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--burst", type=int, default=25)
    given = options.parse_args()
    cases = list(cpu_cases()) + (list(cuda_cases()) if numba.cuda.is_available() else [])
    result = {"machine": machine(), "rows": measure(cases, given.rounds, given.burst)}
    for row in result["rows"]:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
