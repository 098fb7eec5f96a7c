"""A line chart of quality against look-ahead, as a picture file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.expression_net import DIAL

COLOURS = {"marotte": "tab:orange", "ridge": "tab:green", "affine": "tab:blue", "audiodvp": "tab:purple"}
HIGHEST = 0.8
"""Correlation at the upper edge."""


def mean_r(rows: Sequence[dict[str, Any]]) -> dict[str, dict[int, float]]:
    """Mean correlation over clips, by model and look-ahead in ms."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[row["model"]][row["look_ahead_ms"]].append(row["r"])
    return {model: {ms: float(np.mean(r)) for ms, r in sorted(line.items())} for model, line in values.items()}


def draw_curves(panels: Mapping[str, Sequence[dict[str, Any]]], path: Path) -> None:
    """One panel for each title: mean correlation of each model against look-ahead."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(panels), 3), layout="constrained")
    for axes, (title, rows) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for model, line in mean_r(rows).items():
            axes.plot(list(line), list(line.values()), "o-", color=COLOURS[model], label=model)
        axes.set(title=title, xlabel="look-ahead, ms", xticks=DIAL, ylabel="r of the mouth's opening")
        axes.set_ylim(0, HIGHEST)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.savefig(path, format="png", dpi=110)
