"""How good is the puppet where nothing was learned? Its held-out video against the real one, seen by the tracker.

Each figure has beside it what a perfect puppet would score (the real frames, encoded alike) and what chance scores
(the real lips at other moments; one still picture).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Complex128, Float, Float32, UInt8
from numpy.typing import NDArray

from models.tracker import Track
from models.training.tracked_mesh import LIP_RINGS

IRISES, INNER_LIPS = (468, 473), (13, 14)
STABLE = [33, 133, 362, 263, 168, 6, 197, 195]
"""Tracker points that speech does not move: corners of the eyes, bridge of the nose."""
LIPS = [point for ring in LIP_RINGS for point in ring]
LOWER_FACE = [2, 152, 172, 397, 136, 365, 58, 288]
CHANCES = 8
"""Shifts in time over which chance is averaged."""

Picture = UInt8[NDArray[np.uint8], "_ _ 3"]


@dataclass(frozen=True, slots=True)
class Scores:
    """Of a video against the real one; lengths in % of the distance of the irises."""

    opening_r: float
    opening_amplitude: float
    """Spread over the real one's."""
    lip_distance: float
    """Mean distance of lip points, the head's motion taken out."""
    psnr: float
    """Of the lower face, dB."""
    ssim: float
    sharpness: float
    """Of the mouth, over the real one's."""
    jitter: float
    """Of the lips, second difference in time, over the real one's."""


def compare(track: Track, pictures: Iterable[Picture], real: Track, real_pictures: Iterable[Picture]) -> Scores:
    """Score a video, frame by frame the re-enactment of the real one."""
    both = track.valid & real.valid
    a, b = lips(track, real)[both], lips(real, real)[both]
    mine, true = opening(track)[both], opening(real)[both]
    looks = []
    for n, (picture, seen) in enumerate(zip(pictures, real_pictures, strict=True)):
        if not both[n]:
            continue
        face, mouth = (box(real.points[n, ids], pad, seen) for ids, pad in ((LOWER_FACE, 0.05), (LIPS, 0.2)))
        if min(seen[face].shape[:2]) >= 12 and min(seen[mouth].shape[:2]) >= 4:
            looks.append((*likeness(picture[face], seen[face]), sharpness(picture[mouth]), sharpness(seen[mouth])))
    psnr, ssim, sharp, true_sharp = np.array(looks or [(np.nan,) * 4]).T
    return Scores(
        opening_r=correlation(mine, true),
        opening_amplitude=float(mine.std() / max(float(true.std()), 1e-9)),
        lip_distance=100 * float(np.abs(a - b).mean()),
        psnr=float(psnr.mean()),
        ssim=float(ssim.mean()),
        sharpness=float(np.median(sharp) / max(float(np.median(true_sharp)), 1e-9)),
        jitter=shake(a) / max(shake(b), 1e-12),
    )


def chance(real: Track, real_pictures: list[Picture]) -> Scores:
    """What unrelated lips (the real ones, shifted in time) and a still picture score; NaN where that means nothing."""
    both = real.valid
    at, true = lips(real, real)[both], opening(real)[both]
    shifts = np.linspace(0, len(at), CHANCES + 2).astype(int)[1:-1].tolist()
    first = int(np.argmax(real.valid))
    looks = []
    for n in range(first, len(real_pictures), 4):
        if real.valid[n]:
            face = box(real.points[n, LOWER_FACE], 0.05, real_pictures[n])
            if min(real_pictures[n][face].shape[:2]) >= 12:
                looks.append(likeness(real_pictures[first][face], real_pictures[n][face]))
    psnr, ssim = np.array(looks or [(np.nan, np.nan)]).mean(axis=0).tolist()
    return Scores(
        opening_r=float(np.mean([correlation(np.roll(true, s), true) for s in shifts])),
        opening_amplitude=np.nan,
        lip_distance=100 * float(np.mean([np.abs(np.roll(at, s, 0) - at).mean() for s in shifts])),
        psnr=psnr,
        ssim=ssim,
        sharpness=np.nan,
        jitter=np.nan,
    )


def opening(track: Track) -> Float32[NDArray[np.float32], " N"]:
    """Of the inner lips, in distances of the irises; NaN where the face was lost."""
    upper, lower = (track.points[:, point, :2] for point in INNER_LIPS)
    return np.asarray(np.linalg.norm(upper - lower, axis=1) / irises_apart(track), np.float32)


def irises_apart(track: Track) -> float:
    """Median distance, px."""
    return float(np.nanmedian(np.linalg.norm(track.points[:, IRISES[0], :2] - track.points[:, IRISES[1], :2], axis=1)))


def lips(track: Track, real: Track) -> Complex128[NDArray[np.complex128], "N L"]:
    """Lip points in the head's frame, x + iy, in distances of the real irises."""

    def flat(points: NDArray[np.float32]) -> NDArray[np.complex128]:
        return points[..., 0].astype(float) + 1j * points[..., 1]

    size = irises_apart(real)
    rigid = flat(real.points[real.valid][:, STABLE])
    template = (rigid - rigid.mean(1, keepdims=True)).mean(0) / size
    here = flat(track.points[:, STABLE])
    middle = here.mean(1, keepdims=True)
    turn = ((here - middle) * template.conj()).sum(1, keepdims=True) / (np.abs(template) ** 2).sum()
    return np.asarray((flat(track.points[:, LIPS]) - middle) / turn)


def shake(points: Complex128[NDArray[np.complex128], "N L"]) -> float:
    """Mean second difference in time."""
    return float(np.abs(np.diff(points, 2, axis=0)).mean()) if len(points) > 2 else 0.0


def correlation(a: Float[NDArray[np.floating], " N"], b: Float[NDArray[np.floating], " N"]) -> float:
    """0 where one of them does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and min(a.std(), b.std()) > 1e-9 else 0.0


def box(points: Float32[NDArray[np.float32], "P 3"], pad: float, picture: Picture) -> tuple[slice, slice]:
    """Rows and columns around points, enlarged by `pad` of the width on every side, inside the picture."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    room = pad * float(high[0] - low[0])
    (x0, y0), (x1, y1) = (low - room).astype(int).clip(0), (high + room).astype(int).clip(0)
    return slice(y0, min(y1, picture.shape[0])), slice(x0, min(x1, picture.shape[1]))


def sharpness(picture: Picture) -> float:
    """Variance of the Laplacian of the grey picture."""
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def likeness(a: Picture, b: Picture) -> tuple[float, float]:
    """PSNR (dB, at most 60) and SSIM (Wang et al. 2004, Gaussian window of 1.5 px) of two colour pictures."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    psnr = min(60.0, 10 * np.log10(255**2 / max(float(np.mean((x - y) ** 2)), 1e-9)))

    def blur(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float32)

    mx, my = blur(x), blur(y)
    vx, vy, both = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = ((2 * mx * my + c1) * (2 * both + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return psnr, float(ssim.mean())
