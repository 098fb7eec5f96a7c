"""What the voice network was found to do, as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from models.evaluate.silence_rows import AFTER_SPEECH

Row = dict[str, Any]

MEASURES = {"r": "r", "amplitude": "amplitude", "lmd_percent": "lips off, %", "closure": "p b m", "teeth": "f v"}
"""Keys of a row, and how they are headed."""
LEGEND = """\
r          correlation of the mouth's opening with the filmed person's: 1 perfect, 0 chance
amplitude  how far the mouth moves, as a share of how far the person's does: 1 is right
lips off   mean distance of 40 lip points, % of the distance between the pupils: less is better
p b m      share of these sounds at which the lips close as the person's do
f v        share of these sounds at which the lower lip comes to the teeth as the person's does
marotte    our network; ridge: ridge regression; affine: AudioDVP's map on our features;
           audiodvp: as published, with features of its own
"""
TITLES = {
    "curve": "Own person: adapted to other clips of the same person",
    "leave_one_out": "Stranger: by a network that never met the person",
}
AT_MS = 80
"""Look-ahead of the tables that go clip by clip and noise by noise."""


def show(table: Mapping[str, Sequence[Row]], console: Console) -> None:
    """Print everything that `evaluate voice` found; `table` is what it writes as JSON."""
    console.print(LEGEND, highlight=False)
    real = {row["clip"]: row for row in table["real"]}
    for part, title in TITLES.items():
        if table[part]:
            console.print(_means(title, table[part], real))
            console.print(_clips(table[part], real))
    console.print(_silence(table["silence"]))
    if table["onset"]:
        console.print(_onset(table["onset"]))


def _means(title: str, rows: Sequence[Row], real: Mapping[str, Row]) -> Table:
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    shown = _table(f"{title}; mean of {len(clips)} clips", "", "look-ahead, ms", *MEASURES.values())
    for model, ms in dict.fromkeys((row["model"], row["look_ahead_ms"]) for row in sorted(rows, key=_place)):
        chosen = [row for row in rows if (row["model"], row["look_ahead_ms"]) == (model, ms)]
        shown.add_row(model, str(ms), *(_mean(chosen, key) for key in MEASURES))
    known = [real[clip] for clip in clips if clip in real]
    shown.add_section()
    shown.add_row(
        "the person", "", _number(1.0), _number(1.0), _number(0.0), _mean(known, "closure"), _mean(known, "teeth")
    )
    shown.add_row("a still mouth", "", "", _number(0.0), _mean(known, "still_lmd_percent"), "", "")
    return shown


def _clips(rows: Sequence[Row], real: Mapping[str, Row]) -> Table:
    shown = _table(
        f"Clip by clip, {AT_MS} ms", "", "r", "r of ridge", "amplitude", "lips off, %", "still", "p b m", "f v"
    )
    at = {(row["clip"], row["model"]): row for row in rows if row["look_ahead_ms"] == AT_MS}
    for clip in dict.fromkeys(clip for clip, model in at if model == "marotte"):
        ours, ridge = at[clip, "marotte"], at.get((clip, "ridge"), {})
        found = (ours["r"], ridge.get("r"), ours["amplitude"], ours["lmd_percent"])
        still = real.get(clip, {}).get("still_lmd_percent")
        shown.add_row(clip, *map(_number, (*found, still, ours["closure"], ours["teeth"])))
    return shown


def _silence(rows: Sequence[Row]) -> Table:
    at = {row["noise"]: row for row in rows if row["look_ahead_ms"] == AT_MS}
    calm = f"{rows[0]['natural']:.2f}"
    title = f"Nobody speaks, {AT_MS} ms; speed of the lips in pupil distances a second, people at rest have {calm}"
    shown = _table(title, "", "speed", "after speech", "openings a minute", "after speech")
    noises = [noise for noise in at if not noise.endswith(AFTER_SPEECH)]
    for noise in sorted(noises, key=lambda noise: -at[noise]["lip_speed"]):
        pair = at[noise], at[noise + AFTER_SPEECH]
        shown.add_row(noise, *(f"{row[key]:.2f}" for key in ("lip_speed", "false_openings_per_min") for row in pair))
    return shown


def _onset(rows: Sequence[Row]) -> Table:
    title = f"The mouth's start after {rows[0]['syllables']} first sounds, less the look-ahead; late is after 60 ms"
    shown = _table(title, "", "look-ahead, ms", "median, ms", "90 %, ms", "late")
    for row in rows:
        times = (f"{row[key]:.0f}" for key in ("look_ahead_ms", "late_ms", "late_ms_p90"))
        shown.add_row("after " + row["before"], *times, f"{row['too_late']:.2f}")
    return shown


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(first, title="\n" + title, title_justify="left", title_style="bold", box=None, header_style="dim")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _place(row: Row) -> tuple[bool, str, int]:
    """Ours come first."""
    return row["model"] != "marotte", row["model"], row["look_ahead_ms"]


def _mean(rows: Sequence[Row], key: str) -> str:
    values = [row[key] for row in rows if not np.isnan(row[key])]
    return _number(float(np.mean(values)) if values else None)


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.2f}"
