"""Times and proves the rasterizer: python -m tests.bench.raster --json out.json

Cases are interleaved and repeated in rounds, so that a busy moment of the machine falls on all of them. On a machine
with a CUDA device and torch, the CUDA rows are timed as well, launched plainly and inside a CUDA graph; where moderngl
and Mesa are installed, so is software OpenGL. A batch's milliseconds are those of all its pictures together.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numba
import numba.cuda
import numpy as np

from kernels import reference
from kernels.rasterizer import Rasterizer
from tests.bench import raster_opengl, raster_proofs
from tests.kernels.meshes import see, sphere

TRIANGLES, SIZES = (10_000, 35_000, 70_000), (256, 512)
OUTPUTS = ((8, np.float32), (6, np.uint8), (3, np.uint8))  # attributes; the second is the renderer's conditioning
ON_DEVICE = ((6, np.float32), (6, np.uint8))
BATCH = 64


@dataclass(frozen=True)
class Case:
    """One row of the table; `draw` runs it once and gives the milliseconds that count."""

    backend: str
    triangles: int
    size: int
    attributes: int
    dtype: type
    batch: int
    draw: Callable[[], float]
    slow: bool = False


def head(triangles: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices on the screen and triangles of a turned ellipsoid that covers about 41 % of the picture."""
    points, faces = sphere(triangles)
    return see(points, 2, size, size, fill=0.80), faces


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Milliseconds that it takes."""

    def draw() -> float:
        start = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - start)

    return draw


def cpu_cases(opengl: bool) -> Iterator[Case]:
    """Drawing NumPy arrays on one core: the rasterizer, software OpenGL, and once the reference."""
    for triangles in TRIANGLES:
        for size in SIZES:
            vertices, faces = head(triangles, size)
            for channels, dtype in OUTPUTS:
                about = len(faces), size, channels, dtype, 1
                attributes = np.random.default_rng(0).random((len(vertices), channels), np.float32)
                rasterizer, out = Rasterizer(size, size, faces), np.empty((size, size, channels), dtype)
                arrays = vertices, attributes, out
                yield Case("cpu", *about, timed(lambda r=rasterizer, a=arrays: r.draw(*a)))
                if opengl and channels in (3, 8):
                    other = raster_opengl.OpenGL(size, faces, attributes, dtype)
                    other.draw(vertices)
                    rasterizer.draw(*arrays)
                    if not np.isclose((other.out > 0).any(axis=(0, 3)), rasterizer.ids >= 0).mean() > 0.9999:
                        raise RuntimeError("OpenGL and the rasterizer cover different pixels")
                    yield Case("llvmpipe", *about, timed(lambda o=other, v=vertices: o.draw(v)))
                if triangles == 10_000 and channels == 8:
                    given = vertices, faces, attributes, size, size
                    yield Case("reference", *about, timed(lambda a=given: reference.draw(*a)), slow=True)


def cuda_cases() -> Iterator[Case]:
    """Drawing torch tensors: device time between two events, launched from Python and replayed from a graph."""
    import torch

    for triangles, size, batch in [*((t, s, 1) for t in TRIANGLES for s in SIZES), (70_000, 256, BATCH)]:
        seen, faces = head(triangles, size)
        vertices = torch.from_numpy(np.stack([seen] * batch)).cuda()
        for channels, dtype in ON_DEVICE:
            rasterizer = Rasterizer(size, size, torch.from_numpy(faces).cuda(), batch=batch)
            attributes = torch.rand(*vertices.shape[:2], channels, device="cuda")
            out = torch.empty(batch, size, size, channels, dtype=getattr(torch, np.dtype(dtype).name), device="cuda")

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

                yield Case(backend, len(faces), size, channels, dtype, batch, draw)


def measure(cases: list[Case], rounds: int, burst: int) -> dict[str, list[dict[str, object]]]:
    """Rounds over all cases, forwards and back; the first two draws of a burst warm the caches and do not count."""
    times: dict[int, list[float]] = {index: [] for index in range(len(cases))}
    for turn in range(rounds):
        for index in list(times)[:: 1 if turn % 2 == 0 else -1]:
            warm, count = (0, 1) if cases[index].slow else (2, burst)
            times[index] += [cases[index].draw() for _ in range(warm + count)][warm:]
    rows: dict[str, list[dict[str, object]]] = {"rows": [], "rows_uint8": []}
    for case, taken in zip(cases, times.values(), strict=True):
        row = {key: getattr(case, key) for key in ("backend", "triangles", "size", "attributes", "batch")}
        row |= {"p50_ms": round(float(np.median(taken)), 4), "p99_ms": round(float(np.percentile(taken, 99)), 4)}
        rows["rows" if case.dtype == np.float32 else "rows_uint8"].append(row)
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
    if not numba.cuda.is_available():
        return about
    name = numba.cuda.get_current_device().name
    return about | {"device": name.decode() if isinstance(name, bytes) else name}  # which one depends on the bindings


def main() -> None:
    """Print the tables, and write them if asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", type=Path, help="where to write the results")
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--burst", type=int, default=25)
    options.add_argument("--poses", type=int, default=1000, help="random poses, and runs of one, for the proofs")
    options.add_argument("--ict", type=Path, default="../shared/data/ict/ict_light.npz", help="the ICT head")
    given = options.parse_args()
    skipped = raster_opengl.missing()
    if skipped:
        print(f"llvmpipe skipped: {skipped}")
    cases = list(cpu_cases(opengl=not skipped)) + (list(cuda_cases()) if numba.cuda.is_available() else [])
    result = {"machine": machine()} | measure(cases, given.rounds, given.burst)
    proofs = raster_proofs.prove(given.poses, given.ict)
    floor = raster_proofs.floor(result["rows"])
    for table in (*(result[key] for key in ("rows", "rows_uint8")), proofs, floor):
        for row in table:
            print("  ".join(f"{key} {value}" for key, value in row.items()))
    if given.json:
        given.json.write_text(json.dumps(result | {"proofs": proofs, "floor": floor}, indent=1))


if __name__ == "__main__":
    main()
