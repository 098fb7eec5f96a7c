"""A picture of a benchmark: the delay over time, and how its percentiles compare with the floor's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from realtime.bench.figures import Series
from realtime.errors import InputError

MISSING = "--plot needs matplotlib: pip install 'marotte[bench]'."


def check() -> None:
    """Find out before the run whether a picture can be drawn.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(MISSING) from None


def plot(path: Path, result: Mapping[str, Any], series: Series) -> None:
    """Draw the picture, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    over_time, spread = figure.subplots(1, 2, width_ratios=(3, 2))
    steady = series.real & ~series.onset
    groups = [
        ("steady", steady, "tab:blue"),
        ("after a pause", series.real & series.onset, "tab:orange"),
        ("floor: no networks", series.floor, "tab:gray"),
    ]
    for name, marks, colour in groups:
        if not marks.any():
            continue
        delay = 1000 * series.delay[marks]
        over_time.plot(series.at[marks], delay, ".", markersize=2, color=colour, label=name)
        spread.plot(np.sort(delay), np.linspace(0, 100, len(delay)), color=colour, label=name)
    over_time.set(xlabel="s", ylabel="delay, ms", ylim=(0, None), title="from the microphone to the picture")
    spread.set(xlabel="delay, ms", ylabel="% of moments", xlim=(0, None), ylim=(0, 100), title="distribution")
    for percent in (50, 95):
        if steady.any():
            value = 1000 * float(np.percentile(series.delay[steady], percent))
            label = f"p{percent} {value:.0f} ms "
            spread.annotate(label, (value, percent), (-4, -4), textcoords="offset points", ha="right")
    spread.legend(loc="lower right")
    for axes in (over_time, spread):
        axes.grid(alpha=0.3)
    figure.suptitle(
        f"{result['puppet']} {result['size']}, {result['fps']:g} frames/s, look-ahead {result['look_ahead_ms']} ms, "
        f"through {result['through']}; {result['machine']['processor']}, {result['machine']['cores']} cores"
    )
    temporary = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(temporary, format="png", dpi=120)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
