"""A line chart of quality against look-ahead, as a picture file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.expression_net import DIAL

WIDTH, HEIGHT, MARGIN = 480, 360, 48
COLOURS = {"marotte": (40, 90, 220), "ridge": (60, 150, 60), "affine": (150, 110, 60)}
"""Blue, green, red."""
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
    picture = np.concatenate([_panel(title, mean_r(rows)) for title, rows in panels.items()], 1)
    done, png = cv2.imencode(".png", picture)
    assert done
    path.write_bytes(png.tobytes())


def _panel(title: str, lines: dict[str, dict[int, float]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)

    def at(ms: int, r: float) -> tuple[int, int]:
        x = MARGIN + ms / max(DIAL) * (WIDTH - 2 * MARGIN)
        return round(x), round(HEIGHT - MARGIN - max(r, 0.0) / HIGHEST * (HEIGHT - 2 * MARGIN))

    def write(text: str, place: tuple[int, int], colour: tuple[int, int, int] = (40, 40, 40)) -> None:
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)

    for r in np.arange(0, HIGHEST + 0.05, 0.1).tolist():
        cv2.line(picture, at(0, r), at(max(DIAL), r), (225, 225, 225), 1)
        write(f"{r:.1f}", (14, at(0, r)[1] + 4))
    for ms in DIAL:
        write(str(ms), (at(ms, 0.0)[0] - 10, HEIGHT - MARGIN + 18))
    write(f"{title}: r of the mouth's opening against look-ahead, ms", (MARGIN, 24))
    for number, (model, line) in enumerate(lines.items()):
        colour = COLOURS[model]
        points = np.array([at(ms, r) for ms, r in line.items()], np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        for point in points.tolist():
            cv2.circle(picture, point, 4, colour, -1, cv2.LINE_AA)
        write(model, (WIDTH - MARGIN - 70, HEIGHT - MARGIN - 14 - 18 * number), colour)
    return picture
