"""What the pictures of a tracked clip tell about its quality: light, hands before the mouth, cuts, detail, combing.

Letters: N frames, L places on the skin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy.typing import NDArray
from scipy.ndimage import binary_propagation, median_filter

from models.tracker import Track

EYES, MOUTH_CORNERS, CHIN = (33, 263), (61, 291), 152
"""Tracker points: outer corners of the eyes, corners of the mouth, chin."""
SKIN = (
    *(0, 37, 267, 17, 84, 314, 61, 291, 40, 270, 91, 321),  # the lips' outer rim
    *(18, 200, 199, 175, 83, 313, 182, 406),  # below the lips
    *(2, 164, 165, 391, 206, 426, 203, 423),  # above them
    *(205, 425, 187, 411, 207, 427, 214, 434, 212, 432, 210, 430),  # the cheeks
)
"""Tracker points whose colour speech hardly changes."""
PATCH = 128
"""Side of the face as it is looked at, px."""
THUMB = 32
"""Side of the picture in which cuts are looked for, px."""
INSPECTIONS = 40
"""Frames, evenly spread, whose detail and rows are looked at."""

AROUND, OUT_OF_LINE = 6, 4.0
"""A cut differs from the frames before and after by so many times what is usual within so many frames."""
LEAST_CHANGE, LEAST_JUMP = 8.0, 0.25
"""And by at least so much: grey levels of the whole picture, distances of the eyes' corners."""
FAR, LEAST_COLOUR = 5.0, 0.08
"""A place of the skin is strange so many times further from its usual colour than usual, and by at least so much."""
HIDDEN = 0.2
"""Share of strange places from which on the face is hidden. Clean clips stay under it."""

Picture = UInt8[NDArray[np.uint8], "_ _ 3"]


@dataclass(frozen=True, slots=True)
class Looks:
    """Measurements of every frame, NaN where no face was found."""

    skin: Float32[NDArray[np.float32], "N L 3"]
    """Colour at SKIN, a little blurred, 0..255."""
    change: Float32[NDArray[np.float32], " N"]
    """Mean difference of the whole picture from the one before, 0..255; 0 for the first."""
    detail: Float32[NDArray[np.float32], " inspections"]
    """Finest detail of the lower face as the renderer sees it, as a share of its contrast."""
    combing: Float32[NDArray[np.float32], " inspections"]
    """How much rows differ from their neighbours where those agree, against the same of columns: 1 is none."""


def look_at(pictures: Iterable[Picture], track: Track, progress: Callable[[int, int], None] | None = None) -> Looks:
    """Look at all frames of a tracked clip, once and in order."""
    count = len(track.valid)
    skin = np.full((count, len(SKIN), 3), np.nan, np.float32)
    change = np.zeros(count, np.float32)
    inspected = set(np.linspace(0, count - 1, INSPECTIONS).astype(int).tolist())
    detail, combing = [], []
    before: NDArray[np.float32] | None = None
    for n, picture in zip(range(count), pictures, strict=False):
        thumb = cv2.resize(picture, (THUMB, THUMB), interpolation=cv2.INTER_AREA).astype(np.float32)
        if before is not None:
            change[n] = np.abs(thumb - before).mean()
        before = thumb
        if track.valid[n]:
            points = track.points[n, :, :2]
            skin[n] = colours(picture, points)
            if n in inspected and (face := lower_face(picture, points)) is not None:
                detail.append(fine_share(face))
                combing.append(comb(face))
        if progress:
            progress(n + 1, count)
    return Looks(skin, change, np.array(detail, np.float32), np.array(combing, np.float32))


def colours(picture: Picture, points: Float32[NDArray[np.float32], "478 2"]) -> Float32[NDArray[np.float32], "L 3"]:
    """Colour of the picture at SKIN; the face is brought to PATCH px, so that each is a mean over its surroundings."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = PATCH / max(float((high - low).max()), 1.0)
    move = np.array([[scale, 0, -scale * low[0]], [0, scale, -scale * low[1]]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch = cv2.blur(
        cv2.warpAffine(picture, move, (PATCH, PATCH), flags=flags, borderMode=cv2.BORDER_REPLICATE), (5, 5)
    )
    place = ((points[list(SKIN)] - low) * scale).astype(int).clip(0, PATCH - 1)
    return patch[place[:, 1], place[:, 0]].astype(np.float32)


def lower_face(picture: Picture, points: Float32[NDArray[np.float32], "478 2"]) -> Picture | None:
    """The picture from the eyes to the chin, as filmed; None where hardly any of it is inside the frame."""
    left, right = sorted(points[list(EYES), 0].astype(int).tolist())
    top, bottom = int(points[list(EYES), 1].mean()), int(points[CHIN, 1])
    part = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    return part if min(part.shape[:2]) >= 16 else None


def fine_share(face: Picture) -> float:
    """Standard deviation of what a blur of 1 px takes from a picture PATCH px wide, over that of the picture."""
    size = PATCH, max(16, round(PATCH * face.shape[0] / face.shape[1]))
    shrinks = face.shape[1] > PATCH
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC).astype(np.float32)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).std() / max(float(grey.std()), 1e-6))


def comb(face: Picture) -> float:
    """Interlaced fields of a moving face disagree from row to row, which columns do not."""
    grey = face[..., 1].astype(np.float32)

    def teeth(g: NDArray[np.float32]) -> float:
        above, here, below = g[:-2], g[1:-1], g[2:]
        return float(np.maximum((here - above) * (here - below) - np.abs(above - below), 0).mean())

    return (teeth(grey) + 0.5) / (teeth(np.ascontiguousarray(grey.T)) + 0.5)


def cuts(looks: Looks, track: Track) -> NDArray[np.intp]:
    """Frames that begin another shot: the picture or the head jumps as neither does around."""
    eyes = track.points[:, list(EYES), :2]
    apart = np.nanmedian(np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=1))
    jump = np.zeros(len(eyes))
    jump[1:] = np.nan_to_num(np.linalg.norm(np.diff(eyes.mean(axis=1), axis=0), axis=1) / apart)
    return np.flatnonzero(_stands_out(looks.change, LEAST_CHANGE) | _stands_out(jump, LEAST_JUMP))


def _stands_out(values: NDArray[np.floating], least: float) -> NDArray[np.bool_]:
    """Whether a value is at least `least` and several times what is usual in the frames around."""
    padded = np.pad(values, AROUND, mode="reflect") if len(values) > AROUND else np.pad(values, AROUND, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    return np.asarray((values > least) & (values > OUT_OF_LINE * np.quantile(around, 0.75, axis=1)))


def shots_differ(looks: Looks, begins: NDArray[np.intp]) -> float:
    """Largest difference between shots of the skin's colours, each place against the face's level; 0 with one shot."""
    parts = [part for part in np.split(looks.skin, begins) if (~np.isnan(part[:, 0, 0])).any()]
    usual = np.stack([np.nanmedian(part / _level(part), axis=0) for part in parts])
    return float(max(np.abs(usual - one).mean() for one in usual))


def brightness(looks: Looks) -> Float32[NDArray[np.float32], " N"]:
    """Of the skin, 0..255; NaN where no face was found."""
    return _level(looks.skin)[:, 0, 0]


def _level(skin: Float32[NDArray[np.float32], "N L 3"]) -> Float32[NDArray[np.float32], "N 1 1"]:
    return np.maximum(np.median(skin.mean(axis=2, keepdims=True), axis=1, keepdims=True), 1)


def covered(looks: Looks, valid: Bool[NDArray[np.bool_], " N"]) -> Bool[NDArray[np.bool_], " N"]:
    """Frames in which something hides a part of the lower face: many places of the skin have another colour.

    What is always there, a beard or a microphone, is not seen so.
    """
    known = looks.skin[valid]
    relative = known / _level(known)
    away = np.abs(relative - np.median(relative, axis=0)).max(axis=2)
    strange = (away > np.maximum(FAR * np.median(away, axis=0), LEAST_COLOUR)).mean(axis=1)
    out = np.zeros(len(valid), np.bool_)
    calm = median_filter(strange, 5, mode="nearest")
    out[valid] = binary_propagation(calm > HIDDEN, mask=calm > HIDDEN / 2)
    return out
