"""Which engine runs a puppet's renderer on this machine: the fastest of those that are right.

The voice network is small and stays in ONNX Runtime on the CPU, whose jitter is the lowest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

from export import parity, store
from export.device import describe
from export.engine import Device, EngineError, EngineName, Feed, Precision, Recipe, missing
from export.manifest import fingerprint
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.parity import Figures
from export.timing import Times, interleaved
from models.network import Network

Say = Callable[[str], object]
Record = Callable[[], Sequence[Feed]]

THREADS = min(2, os.cpu_count() or 1)
"""For one picture: the rest of a live machine has work to do as well."""

FALLBACK: dict[Device, tuple[EngineName, ...]] = {
    "cuda": ("tensorrt", "aotinductor", "torch"),
    "cpu": ("openvino", "onnxruntime"),
}
"""Best first; the last needs nothing but its library."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for."""

    device: Device = "cpu"
    engine: EngineName | Literal["auto"] = "auto"
    precision: Precision | Literal["auto"] = "auto"
    threads: int = THREADS

    @classmethod
    def of(cls, device: str, engine: str, precision: str = "auto", threads: int = THREADS) -> Wish:
        """From words that were checked when the command line was read."""
        return cls(cast(Device, device), cast(EngineName, engine), cast(Precision, precision), threads)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that was tried."""

    recipe: Recipe
    built: tuple[Network, Figures] | None
    times: Times | None
    refused: str | None
    """Why it cannot be used, or None."""


def candidates(wish: Wish, calibrated: bool) -> list[Recipe]:
    """Recipes that this machine may be able to run, in the order in which one falls back on the next.

    `calibrated`: also int8, whose library takes long to load, brings torch along and so has no place in serving.
    """
    engines = [wish.engine] if wish.engine != "auto" else [name for name in FALLBACK[wish.device] if not missing(name)]
    recipes = []
    for engine in engines:
        given = [wish.precision] if wish.precision != "auto" else _precisions(engine, wish.device, calibrated)
        recipes += [Recipe(engine, precision, wish.device, wish.threads) for precision in given]
    return recipes


def renderer(onnx: Path, wish: Wish, record: Record, say: Say) -> Network:
    """The renderer in the engine that was chosen before, or in the first that passes.

    Somebody waits for it, so that nothing is timed: `python -m export` does, and what it chose is taken here. What is
    wrong with a stored engine is said once, and the engine built anew; if that fails, the next one is taken.

    Args:
        onnx: renderer.onnx of a puppet.
        wish: what the user asks for.
        record: gives recorded inputs, if they are needed.
        say: tells the user a sentence.

    Raises:
        EngineError: no engine can run the network.
    """
    chosen = recall(onnx, wish)
    if chosen:
        try:
            return store.load(onnx, chosen)
        except EngineError as error:
            say(f"{error} It is built anew.")
    elif wish.engine == "auto":
        say("Building the engine for this machine: once, a few seconds.")
    feeds = record()
    reference = list(parity.run(OnnxRuntimeNetwork(onnx, wish.threads), feeds))
    refused = []
    for recipe in candidates(wish, calibrated=False):
        try:
            network, _ = store.build(onnx, recipe, feeds, reference)
        except EngineError as error:
            refused.append(str(error))
        else:
            _remember(onnx, wish, recipe)
            return network
    reasons = " ".join(refused) or f"No engine for {wish.device} is installed."
    chain = FALLBACK[wish.device]
    following = chain[chain.index(wish.engine) + 1 :] if wish.engine in chain else chain
    if wish.engine != "auto" and following:
        say(f"{reasons} Falling back on {following[0]}.")
        return renderer(onnx, Wish(wish.device, following[0], "auto", wish.threads), record, say)
    if wish.device == "cuda":
        raise EngineError(f"{reasons} Use --device cpu.")
    say(f"{reasons} The network is run as it is.")
    return OnnxRuntimeNetwork(onnx, wish.threads)  # by definition right


def compare(onnx: Path, wish: Wish, feeds: Sequence[Feed]) -> list[Candidate]:
    """Build every candidate, int8 too, check it, and time those that pass, all in one run."""
    reference = list(parity.run(OnnxRuntimeNetwork(onnx, wish.threads), feeds))
    built: dict[Recipe, tuple[Network, Figures]] = {}
    refused: dict[Recipe, str] = {}
    recipes = candidates(wish, calibrated=True)
    for recipe in recipes:
        try:
            built[recipe] = store.build(onnx, recipe, feeds, reference)
        except EngineError as error:
            refused[recipe] = str(error)
    networks = {str(recipe): network for recipe, (network, _) in built.items()}
    calls = {name: _caller(network, feeds[0]) for name, network in networks.items()}
    times = interleaved(calls) if calls else {}
    return [Candidate(recipe, built.get(recipe), times.get(str(recipe)), refused.get(recipe)) for recipe in recipes]


def keep(onnx: Path, wish: Wish, tried: Sequence[Candidate]) -> Candidate | None:
    """Remember the fastest that passed; None if none did."""
    passed = [candidate for candidate in tried if candidate.times]
    if not passed:
        return None
    best = min(passed, key=lambda candidate: candidate.times.p50 if candidate.times else 0.0)
    _remember(onnx, wish, best.recipe, best.times)
    return best


def recall(onnx: Path, wish: Wish) -> Recipe | None:
    """What was chosen before for this wish on this device, or None."""
    try:
        note = json.loads(_note(onnx, wish).read_text(encoding="utf-8"))
        return Recipe(**note["recipe"]) if note["device"] == describe(wish.device) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(onnx: Path, wish: Wish, recipe: Recipe, times: Times | None = None) -> None:
    """Take this recipe from now on."""
    path = _note(onnx, wish)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    note = {"recipe": asdict(recipe), "device": describe(wish.device), "times_ms": times and asdict(times)}
    temporary.write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _note(onnx: Path, wish: Wish) -> Path:
    name = f"{wish.device}-{wish.engine}-{wish.precision}-{wish.threads}.json"
    return store.root() / fingerprint(onnx)[:16] / name


def _precisions(engine: EngineName, device: Device, calibrated: bool) -> list[Precision]:
    if device == "cuda":
        return ["fp16"]
    if engine != "openvino":
        return ["fp32"]
    from export.openvino_engine import native_precision

    found: list[Precision] = ["fp32"] if native_precision() == "fp32" else [native_precision(), "fp32"]
    return ["int8", *found] if calibrated and find_spec("nncf") else found


def _caller(network: Network, feed: Feed) -> Callable[[], object]:
    whole = {**feed, **network.initial_state()}
    return lambda: network(whole)
