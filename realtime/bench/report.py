"""A benchmark's figures for people and for programs: a table, a JSON file, the ratios of two."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from realtime.errors import InputError

PERCENTILES = ("p50", "p95", "p99")
ROWS = {
    "delay_ms": "delay, steady",
    "onset_ms": "delay, first second after a pause",
    "floor_ms": "delay without networks (floor)",
    "frame_ms": "computing a frame",
    "offset_ms": "sound after picture",
}
ACOUSTIC = {
    "delay": "vowel to open mouth",
    "mouth_after_sound_in_media_time": "mouth after vowel, in media time",
}
LOSSES = {
    "normal": "delay, before the network is bad (median)",
    "in_spells_p95": "delay while it is (95 %)",
    "recovery_p50": "until the delay is normal again (median)",
    "recovery_max": "until the delay is normal again (longest)",
    "longest_freeze": "longest time without a new picture",
}
FIGURES = {"missed": "share of frames missed", "drift_ms_per_h": "drift (ms/h)", "cpu_cores": "processor cores used"}


def table(result: Mapping[str, Any]) -> Table:
    """The figures on one screen."""
    about = f"{result['puppet']}, {result['size']} at {result['fps']:g}/s, look-ahead {result['look_ahead_ms']} ms"
    grid = Table(title=f"{about}, through {result['through']}, {result['seconds']:g} s", caption=_caption(result))
    grid.add_column("ms")
    for percentile in PERCENTILES:
        grid.add_column(percentile, justify="right")
    for key, name in ROWS.items():
        if result[key]:
            grid.add_row(name, *[f"{result[key][percentile]:.1f}" for percentile in PERCENTILES])
    if "acoustic_ms" in result:
        for key, name in ACOUSTIC.items():
            grid.add_row(name, *[f"{result['acoustic_ms'][key][percentile]:.1f}" for percentile in PERCENTILES])
    for key, name in LOSSES.items():
        if "losses_ms" in result:
            grid.add_row(name, f"{result['losses_ms'][key]:.0f}", "", "")
    grid.add_section()
    for name, stage in result["stages_ms"].items():
        grid.add_row(f"  {name}", *[f"{stage[percentile]:.1f}" for percentile in PERCENTILES])
    grid.add_section()
    for key, name in FIGURES.items():
        grid.add_row(name, "–" if result[key] is None else f"{result[key]:g}", "", "")
    return grid


def _caption(result: Mapping[str, Any]) -> str:
    declared, machine = result["declared_ms"], result["machine"]
    return (
        f"Declared {declared['mean']:.0f} ms + measured {declared['taken_by_stages']:.0f} ms"
        f" + way out {declared['rest']:.0f} ms on average: {declared['verdict']}.\n"
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load']}; {result['engine']}."
    )


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write the JSON file, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


def compare(first: Path, second: Path) -> Table:
    """The figures of two files side by side, with their ratios.

    Raises:
        InputError: one of them is no benchmark's file.
    """
    one, two = _read(first), _read(second)
    grid = Table()
    for title in ("figure", first.name, second.name, "ratio"):
        grid.add_column(title, justify="left" if title == "figure" else "right")
    for key in ("puppet", "engine", "size", "fps", "look_ahead_ms", "through", "seconds"):
        grid.add_row(key, str(one.get(key)), str(two.get(key)), "" if one.get(key) == two.get(key) else "differs")
    grid.add_section()
    before, after = dict(_numbers(one)), dict(_numbers(two))
    for name in [name for name in before if name in after]:
        ratio = f"{after[name] / before[name]:.2f}" if before[name] else "–"
        grid.add_row(name, f"{before[name]:g}", f"{after[name]:g}", ratio)
    return grid


def _read(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no JSON'}.") from error
    if not isinstance(result, dict) or not {*ROWS, *FIGURES, "stages_ms"} <= result.keys():
        raise InputError(f"{path} is not a file that `serve.py bench --json` has written.")
    return result


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key in ROWS:
        for percentile, value in result[key].items():
            yield f"{key} {percentile}", value
    for name, stage in result["stages_ms"].items():
        yield f"stages_ms {name} p50", stage["p50"]
    for key in FIGURES:
        if result[key] is not None:
            yield key, result[key]
