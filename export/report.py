"""What `python -m export` prints and writes: the engines side by side, and the network's layers."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from export import choose, layers, parity, recorded
from export.choose import Candidate, Wish
from export.device import describe
from export.engine import FOR_VOICE, EngineError, missing
from export.engine import load as load_portable
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.timing import interleaved
from models.errors import InputError
from models.puppet import Puppet

PACKAGES = ("numpy", "openvino", "onnxruntime", "nncf", "torch", "torch-tensorrt", "numba", "numba-cuda")


def figures(puppet: Puppet, wish: Wish, frames: int) -> dict[str, Any]:
    """Build, check and time; what was found, ready for JSON."""
    if wish.device == "cuda":
        _require_cuda()
    onnx = puppet.folder / "renderer.onnx"
    feeds = recorded.frames(puppet, frames)
    tried = choose.compare(onnx, wish, feeds)
    best = choose.keep(onnx, wish, tried)
    flops = layers.total(onnx)
    peak = layers.peak(best.recipe) if best else None
    return {
        "puppet": puppet.manifest.name,
        "moment": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(wish),
        "frames": frames,
        "renderer": [_row(candidate) for candidate in tried],
        "kept": str(best.recipe) if best else None,
        "gflop": round(flops / 1e9, 3),
        "peak_gflops": round(peak / 1e9, 1) if peak else None,
        "floor_ms": round(1000 * flops / peak, 3) if peak else None,
        "voice": voice(puppet),
    }


def voice(puppet: Puppet) -> list[dict[str, Any]]:
    """The voice network in the engines that run it, streamed over 1,000 hops and timed for one video frame."""
    onnx = puppet.folder / "expression.onnx"
    feeds = recorded.hops()
    reference = list(parity.run(OnnxRuntimeNetwork(onnx, 1), feeds))
    networks = {str(name): load_portable(onnx, (name,)) for name in FOR_VOICE if not missing(name)}
    four = {"samples": feeds[0]["samples"].repeat(4, axis=1), "look_ahead": feeds[0]["look_ahead"]}
    calls = {name: lambda network=net: network({**four, **network.initial_state()}) for name, net in networks.items()}
    times = interleaved(calls, calls=30)
    return [
        {"engine": name, **asdict(times[name]), **parity.compare(reference, network, feeds).numbers()}
        for name, network in networks.items()
    ]


def machine(wish: Wish) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        **describe(wish.device),
        "processor": describe("cpu")["name"],
        "cores": os.cpu_count(),
        "threads": wish.threads,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": versions,
    }


def show(found: dict[str, Any]) -> None:
    """Print the engines side by side."""
    about = found["machine"]
    title = f"{found['puppet']} on {about['name']}, {about['threads']} threads, load {about['load']}"
    table = Table(title=title, title_justify="left")
    for heading in ("engine", "median ms", "p99 ms", "worst frame dB", "lower face dB", "verdict"):
        table.add_column(heading, justify="left" if heading in ("engine", "verdict") else "right")
    for row in found["renderer"]:
        verdict = row["refused"] or ("kept" if row["engine"] == found["kept"] else "passed")
        cells = [f"{row[key]:.2f}" if key in row else "–" for key in ("p50", "p99", "picture_psnr", "lower_face_psnr")]
        table.add_row(row["engine"], *cells, verdict)
    for row in found["voice"]:
        table.add_row(f"voice, {row['engine']}", f"{row['p50']:.2f}", f"{row['p99']:.2f}", "–", "–",
                      f"relative error {row['relative']:.1e}, after 1,000 steps {row['drift']:.1e}")  # fmt: skip
    console = Console()
    console.print(table)
    if found["floor_ms"]:
        console.print(
            f"{found['gflop']} GFLOP at this engine's measured peak of {found['peak_gflops']:.0f} GFLOP/s: "
            f"no less than {found['floor_ms']} ms."
        )


def show_layers(onnx: Path, wish: Wish) -> list[dict[str, Any]]:
    """Print the layers of the engine that was kept; and give them for JSON."""
    recipe = choose.recall(onnx, wish)
    if recipe is None:
        return []
    rows = layers.describe(onnx, recipe)
    table = Table(title=f"Layers as {recipe} runs them" if recipe.engine == "openvino" else "Layers of the network",
                  title_justify="left")  # fmt: skip
    for heading in ("layer", "kind", "output", "MFLOP", "weights kB", "µs"):
        table.add_column(heading, justify="left" if heading in ("layer", "kind", "output") else "right")
    for row in rows:
        time = f"{row['us']:.0f}" if row["us"] is not None else "–"
        table.add_row(row["name"], row["kind"], row["shape"], f"{row['mflop']:.1f}", f"{row['bytes'] / 1e3:.1f}", time)
    Console().print(table)
    return rows


def text(found: dict[str, Any]) -> str:
    """For people to read and pass on."""
    return json.dumps(found, indent=2)


def write(found: dict[str, Any], path: Path) -> None:
    """Write as JSON. Raises `InputError` if that cannot be done."""
    try:
        path.write_text(text(found) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


def _row(candidate: Candidate) -> dict[str, Any]:
    row: dict[str, Any] = {"engine": str(candidate.recipe), "refused": candidate.refused}
    if candidate.times and candidate.built:
        row |= asdict(candidate.times) | candidate.built[1].numbers()
    return row


def _require_cuda() -> None:
    if missing("torch"):
        raise EngineError(f"--device cuda needs {', '.join(missing('torch'))}: pip install 'marotte[gpu]'.")
    import torch

    if not torch.cuda.is_available():
        raise EngineError("torch sees no CUDA device here: use --device cpu, or see its driver and its build of torch.")
