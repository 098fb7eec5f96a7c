"""Quality against look-ahead as line charts in a picture file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.expression_net import DIAL

COLOURS = {"marotte": "tab:orange", "ridge": "tab:green", "affine": "tab:blue", "audiodvp": "tab:purple"}
MEASURES = {"r": ("r of the mouth's opening", 0.8), "amplitude": ("its size against the person's", 1.2)}
"""Keys of a row: the axis' name and upper end."""
USUAL_MS = 80
"""Look-ahead of the page, marked."""


def means(rows: Sequence[dict[str, Any]], key: str) -> dict[str, dict[int, float]]:
    """Mean of a measure over clips, by model and look-ahead in ms."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[row["model"]][row["look_ahead_ms"]].append(row[key])
    return {model: {ms: float(np.mean(r)) for ms, r in sorted(line.items())} for model, line in values.items()}


def draw_curves(panels: Mapping[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """A column for each title; above how well each model follows the person, below how far it moves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(panels), 2.6 * len(MEASURES)), layout="constrained")
    grid = figure.subplots(len(MEASURES), len(panels), sharex=True, sharey="row", squeeze=False)
    for line_of_axes, (key, (name, highest)) in zip(grid, MEASURES.items(), strict=True):
        for axes, (title, rows) in zip(line_of_axes, panels.items(), strict=True):
            for model, line in means(rows, key).items():
                axes.plot(list(line), list(line.values()), "o-", color=COLOURS[model], label=model)
            axes.axvline(USUAL_MS, color="grey", linestyle=":", linewidth=1)
            axes.set(xticks=DIAL, ylim=(0, highest))
            axes.grid(alpha=0.3)
            if key == "r":
                axes.set_title(title)
        line_of_axes[0].set_ylabel(name)
    grid[0][0].legend(loc="lower right")
    for axes in grid[-1]:
        axes.axhline(1, color="black", linewidth=1)
        axes.set_xlabel("look-ahead, ms")
    figure.savefig(path, format="png", dpi=110)
