"""report.html in the puppet's folder: how good the puppet is, in one file that opens from disk."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.background import write_background
from models.face_follower import FaceFollower, FaceNetworks
from models.tracker import Track
from models.training.curves import read_curves
from models.training.held_out_metrics import LIPS, Scores, box, chance, compare, opening
from models.training.page import figure_tag, picture_tag, rows_table, uri, verdict_table, write_page
from models.training.verdict import Verdict
from models.video import read_frames

SHOWN_S = 10
"""Of the part held out, at most."""
LARGEST = 512
"""Side of the face's surroundings as they are compared and shown, px at most."""
ROOM = 0.35
"""Around the face, of its width."""
MOMENTS, TILE = 8, 160

Picture = UInt8[NDArray[np.uint8], "_ _ 3"]
ROWS = {  # field: title, unit, digits, what is good
    "opening_r": ("Mouth opening, correlation", "", 3, "1 is perfect"),
    "opening_amplitude": ("Mouth opening, amplitude", "×", 2, "1 is as wide as the person's"),
    "lip_distance": ("Distance of the lips", " %", 2, "of the distance of the eyes; small is good"),
    "psnr": ("Lower face, PSNR", " dB", 1, "large is good"),
    "ssim": ("Lower face, SSIM", "", 3, "1 is perfect"),
    "sharpness": ("Sharpness of the mouth", "×", 2, "1 is as sharp as the person's"),
    "jitter": ("Jitter of the lips", "×", 2, "1 is as calm as the person's"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The puppet against the person, side by side."""

    real: list[Picture]
    """Surroundings of the face, all of one size."""
    drawn: list[Picture]
    real_track: Track
    drawn_track: Track
    puppet: Scores
    perfect: Scores
    """Of the real frames, encoded as the puppet's."""
    chance: Scores


def judge(video: Path, track: Track, first: int, held_out: Path) -> Judged:
    """Compare `held_out`, the clip redrawn from frame `first` on, with the clip whose face was followed as `track`."""
    last = min(len(track.valid), first + round(SHOWN_S * track.fps))
    place = surroundings(track, first, last)
    real = [shrunk(picture[place]) for _, picture in read_frames(video, first, last)]
    drawn = [shrunk(picture[place]) for _, picture in read_frames(held_out, 0, last - first)]
    encoded = recoded(real, track.fps)
    seen, shown, again = (follow(pictures, track.fps) for pictures in (real, drawn, encoded))
    puppet, perfect = compare(shown, drawn, seen, real), compare(again, encoded, seen, real)
    return Judged(real, drawn, seen, shown, puppet, perfect, chance(seen, real))


def surroundings(track: Track, first: int, last: int) -> tuple[slice, slice]:
    """Rows and columns that hold the face in all of these frames, even numbers of them."""
    points = track.points[first:last].reshape(-1, 3)
    points = points[~np.isnan(points[:, 0])]
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    room = ROOM * (high - low).max()
    x0, y0 = (low - room).astype(int).clip(0)
    x1, y1 = (high + room).astype(int).clip(0, [track.width, track.height])
    return slice(y0, y1 - (y1 - y0) % 2), slice(x0, x1 - (x1 - x0) % 2)


def shrunk(picture: Picture) -> Picture:
    """At most LARGEST px on either side, even numbers."""
    scale = LARGEST / max(picture.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(picture)
    height, width = (2 * round(side * scale / 2) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def recoded(pictures: list[Picture], fps: Fraction) -> list[Picture]:
    """Through the encoder and back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "real.mp4"
        write_background(path, pictures, fps)
        return [picture for _, picture in read_frames(path, 0, len(pictures))]


def follow(pictures: Sequence[Picture], fps: Fraction) -> Track:
    """The face in pictures at hand."""
    follower = FaceFollower(FaceNetworks())
    points = np.full((len(pictures), 478, 3), np.nan, np.float32)
    confidence = np.zeros(len(pictures), np.float32)
    for n, picture in enumerate(pictures):
        found, confidence[n] = follower.follow(picture)
        if found is not None:
            points[n] = found
    height, width = pictures[0].shape[:2]
    times = np.arange(len(pictures)) / float(fps)
    return Track(points, ~np.isnan(points[:, 0, 0]), confidence, times, width, height, fps, 0.0)


def write_report(
    folder: Path, title: str, judged: Judged, curves: Path, verdict: Verdict, settings: dict[str, str]
) -> None:
    """Write report.html into `folder`; it refers to no other file.

    `curves`: what `Curves` wrote. `settings`: what else to tell, by name.
    """
    course = read_curves(curves)
    parts = [
        f'<p>The clip was judged <b class="{verdict.light}">{verdict.light}</b>. All figures and pictures below show '
        "the part of the clip that nothing was learned from, driven by the expressions seen there.</p>",
        f'<video controls loop muted autoplay src="{video_uri(judged)}"></video>',
        "<p>Left the person, right the puppet.</p>",
        scores_table(judged),
        "<h2>Moments</h2>",
        picture_tag(contact_sheet(judged), "The person above, the puppet below, at moments evenly spread"),
        figure_tag(opening_figure(judged), "Opening of the mouth over time"),
        "<h2>The clip</h2>",
        verdict_table(verdict.findings),
        "<h2>Training</h2>",
        figure_tag(training_figure(course), "Loss over the steps") if len(course) > 1 else "",
        rows_table(settings),
    ]
    write_page(folder, title, parts)


def scores_table(judged: Judged) -> str:
    """The figures, with what is perfect and what is chance."""
    lines = []
    for field in fields(Scores):
        name, unit, digits, good = ROWS[field.name]
        values = [getattr(s, field.name) for s in (judged.puppet, judged.perfect, judged.chance)]
        cells = ["–" if np.isnan(value) else f"{value:.{digits}f}{unit}" for value in values]
        lines.append(f"<tr><th>{name}<small>{good}</small></th>" + "".join(f"<td>{cell}</td>" for cell in cells))
    head = "<tr><th></th><td>puppet</td><td>perfect</td><td>chance</td></tr>"
    note = (
        "Perfect: the real pictures through the same encoder. Chance: the real lips of other moments, a still picture."
    )
    return f"<table>{head}{''.join(lines)}</table><p><small>{note}</small></p>"


def contact_sheet(judged: Judged) -> Picture:
    """Mouths at MOMENTS, the person's above the puppet's; where the mouth is widest open in each stretch."""
    wide = np.nan_to_num(opening(judged.real_track))
    rows: list[list[Picture]] = [[], [], [], []]
    for n, stretch in enumerate(np.array_split(np.arange(len(wide)), MOMENTS)):
        if not len(stretch):
            continue
        at = int(stretch[np.argmax(wide[stretch]) if n % 2 == 0 else len(stretch) // 2])
        place = box(judged.real_track.points[at, LIPS], 0.4, judged.real[at]) if judged.real_track.valid[at] else ...
        for row, picture in zip(rows, (*(p[at] for p in (judged.real, judged.drawn)),) * 2, strict=True):
            face = row is rows[0] or row is rows[1]
            row.append(tile(picture if face else picture[place]))
    return np.vstack([np.hstack(row) for row in rows])


def tile(picture: Picture) -> Picture:
    """Fitted into a square of TILE px."""
    scale = TILE / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    out = np.full((TILE, TILE, 3), 24, np.uint8)
    top, left = (TILE - size[1]) // 2, (TILE - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


def opening_figure(judged: Judged) -> Figure:
    """The person's and the puppet's curve."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for track, name, colour in ((judged.real_track, "person", "0.25"), (judged.drawn_track, "puppet", "tab:orange")):
        axes.plot(track.times, opening(track), label=name, color=colour, linewidth=1.2)
    axes.set(xlabel="s", ylabel="opening of the mouth,\ndistances of the eyes")
    axes.legend(frameon=False, ncols=2)
    return figure


def training_figure(course: NDArray[np.float64]) -> Figure:
    """Loss over the steps."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(course[:, 0], course[:, 2], color="tab:blue", linewidth=1.2)
    axes.set(xlabel="step", ylabel="pyramid loss, running mean", yscale="log")
    return figure


def video_uri(judged: Judged) -> str:
    """Person and puppet side by side."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.mp4"
        pairs = (np.hstack(pair) for pair in zip(judged.real, judged.drawn, strict=True))
        write_background(path, pairs, judged.real_track.fps)
        return uri(path.read_bytes(), "video/mp4")
