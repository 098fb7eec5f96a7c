"""Engines of this machine, each with its manifest in the user's cache; never in the puppet that people share.

    ~/.cache/marotte/engines/<network>/<engine>-<device>-<precision>-<threads>/
        engine.*          what the engine's library wrote
        sample.npz        a recorded frame and what the reference makes of it
        manifest.json

Whatever is loaded has been compared with its manifest and tried on the sample.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from export import parity
from export.device import describe
from export.engine import EngineError, Feed, Recipe, engine
from export.manifest import FORMAT, Manifest, fingerprint
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.timing import interleaved
from models.network import Network

TIMED = 1, 5
"""Bursts, and calls in each, that the manifest's times are taken from: somebody may wait."""


def root() -> Path:
    """The folder of all engines."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marotte" / "engines"


def folder_of(network: str, recipe: Recipe) -> Path:
    """Where the engine of a network (its SHA-256) belongs."""
    name = f"{recipe.engine}-{recipe.device}-{recipe.precision}-{recipe.threads}"
    return root() / network[:16] / name


def load(onnx: Path, recipe: Recipe) -> Network:
    """The stored engine of a network.

    Raises:
        EngineError: there is none, it was built for another network, device, driver or library, its file is damaged,
            or it no longer gives what it gave. The sentence says which.
    """
    network = fingerprint(onnx)
    folder = folder_of(network, recipe)
    if not folder.is_dir():
        raise EngineError(f"There is no engine in {folder} yet.")
    kind = engine(recipe.engine)
    manifest = Manifest.load(folder / "manifest.json")
    manifest.check(folder, network, recipe, describe(recipe.device), kind.versions())
    file, sample = folder / f"engine{kind.SUFFIX}", folder / "sample.npz"
    for path, recorded in ((file, manifest.engine), (sample, manifest.sample)):
        if fingerprint(path) != recorded:
            raise EngineError(f"{path} is damaged: it is not what was written.")
    try:
        loaded = kind.load(file, recipe, manifest.signature)
        _try(loaded, recipe, sample)
    except EngineError:
        raise
    except Exception as error:  # whatever a library throws, another engine can do the work
        raise EngineError(f"{folder} cannot be run: {_first_line(error)}.") from error
    return loaded


def build(
    onnx: Path, recipe: Recipe, feeds: Sequence[Feed], reference: Sequence[parity.Outputs]
) -> tuple[Network, parity.Figures]:
    """Build an engine, hold it against the reference, and store it if it passes.

    Args:
        onnx: the network.
        recipe: how to run it.
        feeds: recorded inputs in a row, without the state.
        reference: what the network gives for them in ONNX Runtime.

    Raises:
        EngineError: its library is missing or fails, or the engine is not the same network; nothing is stored.
    """
    kind = engine(recipe.engine)
    network = fingerprint(onnx)
    target = folder_of(network, recipe)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise EngineError(f"Engines cannot be stored in {target.parent}: {error.strerror}.") from error
    try:
        file, sample = scratch / f"engine{kind.SUFFIX}", scratch / "sample.npz"
        signature = OnnxRuntimeNetwork(onnx, recipe.threads).signature()
        try:
            kind.build(onnx, recipe, feeds, file)
            built = kind.load(file, recipe, signature)
            figures = parity.compare(reference, built, feeds)
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"{recipe} cannot be built: {_first_line(error)}.") from error
        parity.check(recipe, figures)
        whole = {**feeds[0], **built.initial_state()}
        times = interleaved({"call": lambda: built(whole)}, *TIMED)["call"]
        arrays = {f"feed.{name}": array for name, array in feeds[0].items()}
        arrays |= {f"expected.{name}": array for name, array in reference[0].items()}
        np.savez(sample, allow_pickle=False, **arrays)
        Manifest(
            format=FORMAT,
            recipe=asdict(recipe),
            network=network,
            engine=fingerprint(file),
            sample=fingerprint(sample),
            inputs=signature.inputs,
            outputs=signature.outputs,
            device=describe(recipe.device),
            versions=kind.versions(),
            parity=figures.numbers(),
            times_ms=asdict(times),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ).save(scratch / "manifest.json")
        shutil.rmtree(target, ignore_errors=True)
        try:
            os.replace(scratch, target)
        except OSError:
            if not target.is_dir():  # otherwise another program has just stored the same engine
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return load(onnx, recipe), figures


def _try(network: Network, recipe: Recipe, sample: Path) -> None:
    """Raise `EngineError` unless the engine gives on the recorded frame what the reference gave."""
    with np.load(sample) as arrays:
        feed, expected = (
            {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}
            for prefix in ("feed.", "expected.")
        )
    parity.check(recipe, parity.compare([expected], network, [feed]))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
