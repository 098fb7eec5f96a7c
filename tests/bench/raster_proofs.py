"""What the rasterizer must show besides speed: no holes, nothing twice, runs alike, nothing allocated; and floors."""

import time
import tracemalloc
from pathlib import Path

import numba.cuda
import numpy as np

from kernels.rasterizer import Rasterizer
from tests.kernels.covering import coverage, holes
from tests.kernels.meshes import ict_head, see, sphere

SIZE = 256
Row = dict[str, object]


def prove(count: int, ict: Path) -> list[Row]:
    """`count` random poses of a closed sphere and of the ICT head, and as many runs of one pose."""
    rows = [covered_once("sphere", *sphere(35_000), count)]
    if ict.exists():
        rows.append(covered_once("ict head", *ict_head(ict), count))
    else:
        rows.append({"proof": "ict head", "skipped": f"no file {ict}"})
    rows += same("cpu", np.asarray, count)
    rows.append(cpu_allocations())
    if numba.cuda.is_available():
        import torch

        rows += same("cuda", lambda array: torch.from_numpy(array).cuda(), count)
        rows.append(cuda_allocations())
    return rows


def covered_once(name: str, points: np.ndarray, triangles: np.ndarray, poses: int) -> Row:
    """Of a closed surface as many layers face us as turn their back; a crack or a double cover breaks that."""
    inside = twice = 0
    for seed in range(poses):
        vertices = see(points, seed, SIZE, SIZE)
        front, both = (coverage(vertices, triangles, cull, np.zeros((SIZE, SIZE), np.int64)) for cull in (True, False))
        twice += int((both != 2 * front).sum())
        inside += holes(front > 0)
    return {"proof": name, "poses": poses, "interior_holes": inside, "covered_wrongly": twice}


def same(backend: str, place: object, runs: int) -> list[Row]:
    """How many of so many runs of one pose differ from the first in any bit."""
    points, faces = sphere(70_000)
    vertices, attributes = see(points, 3, SIZE, SIZE), np.random.default_rng(1).random((len(points), 6), np.float32)
    faces, vertices, attributes, out = map(place, (faces, vertices, attributes, np.empty((SIZE, SIZE, 6), np.float32)))
    rasterizer, seen = Rasterizer(SIZE, SIZE, faces), set()
    for _ in range(runs):
        rasterizer.draw(vertices, attributes, out)
        ids = rasterizer.ids if backend == "cpu" else rasterizer.ids.copy_to_host()
        seen.add((np.asarray(ids).tobytes(), (out if backend == "cpu" else out.cpu().numpy()).tobytes()))
    return [{"proof": f"runs of one pose, {backend}", "runs": runs, "different": len(seen) - 1}]


def cpu_allocations() -> Row:
    """Bytes that Python and NumPy hold more after a hundred draws, and at most within them (names, tuples, views)."""
    points, faces = sphere(35_000)
    vertices, attributes = see(points, 3, SIZE, SIZE), np.ones((len(points), 8), np.float32)
    rasterizer, out = Rasterizer(SIZE, SIZE, faces), np.empty((SIZE, SIZE, 8), np.float32)
    tracemalloc.start()
    for _ in range(100):
        rasterizer.draw(vertices, attributes, out)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(100):
        rasterizer.draw(vertices, attributes, out)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"proof": "allocations after warm-up, cpu", "kept_bytes": after - before, "peak_bytes": peak - before}


def cuda_allocations() -> Row:
    """By how many bytes the device's free memory shrinks over a hundred draws, after warm-up."""
    import torch

    points, faces = sphere(35_000)
    arrays = see(points, 3, SIZE, SIZE), np.ones((len(points), 8), np.float32), np.empty((SIZE, SIZE, 8), np.float32)
    on_device = [torch.from_numpy(array).cuda() for array in arrays]
    rasterizer = Rasterizer(SIZE, SIZE, torch.from_numpy(faces).cuda())
    rasterizer.draw(*on_device)
    torch.cuda.synchronize()
    before, _ = torch.cuda.mem_get_info()
    for _ in range(100):
        rasterizer.draw(*on_device)
    torch.cuda.synchronize()
    return {"proof": "allocations after warm-up, cuda", "kept_bytes": before - torch.cuda.mem_get_info()[0]}


def floor(rows: list[Row]) -> list[Row]:
    """For each CPU and CUDA row: bytes that must move and how long that takes, against what was achieved.

    Bytes: vertices and triangles once, the attributes once, keys written, read and reset, ids and picture written.
    Bandwidth is measured here by copying 64 MB (CPU, one thread) and 1 GB (CUDA).
    """
    bandwidth = {"cpu": copied(np.ones(2**24, np.float32), 8)}
    if numba.cuda.is_available():
        import torch

        bandwidth["cuda_graph"] = copied_on_device(torch.ones(2**28, device="cuda"))
    table = []
    for row in rows:
        speed = bandwidth.get(str(row["backend"]))
        if speed is None:
            continue
        pixels, faces, channels, batch = row["size"] ** 2, row["triangles"], row["attributes"], row["batch"]
        moved = 12 * faces + batch * (faces // 2 * (12 + 4 * channels) + pixels * (24 + 4 + 4 * channels))
        least = moved / speed / 1e6
        about = {key: row[key] for key in ("backend", "triangles", "size", "attributes", "batch")}
        about |= {"megabytes": round(moved / 1e6, 2), "gigabytes_per_s": round(speed, 1), "floor_ms": round(least, 4)}
        table.append(about | {"achieved_ms": row["p50_ms"], "times_floor": round(row["p50_ms"] / least, 1)})
    return table


def copied(source: np.ndarray, times: int) -> float:
    """GB/s read and written by the best of some copies."""
    target, taken = np.empty_like(source), []
    for _ in range(times):
        start = time.perf_counter()
        np.copyto(target, source)
        taken.append(time.perf_counter() - start)
    return 2 * source.nbytes / min(taken) / 1e9


def copied_on_device(source: object) -> float:
    """The same on the CUDA device."""
    import torch

    target, taken = torch.empty_like(source), []
    for _ in range(8):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        target.copy_(source)
        end.record()
        end.synchronize()
        taken.append(start.elapsed_time(end) * 1e-3)
    return 2 * source.nbytes / min(taken) / 1e9
