"""How the skin moves: displacement fields of the mouth's and brows' shapes, and which parts follow the jaw.

Fields are functions of the rest position, so that brows, lips and skin, cut apart, move together.
"""

import numpy as np
from numpy.typing import NDArray

from models.character.sculpt import EYE, MOUTH_HALF_WIDTH, MOUTH_Y, REST_GAP_LOWER, REST_GAP_UPPER

SHAPES = (
    "stretch",
    "pucker",
    "funnel",
    "press",
    "tuck",
    "smile",
    "raise_lip",
    "depress",
    "puff",
    "brow_up",
    "brow_in",
    "squint",
)


def bump(distance: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return np.exp(-((distance / size) ** 2))


def smooth(low: float, high: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def seam(x: NDArray[np.float64]) -> NDArray[np.float64]:
    u = np.abs(x) / MOUTH_HALF_WIDTH
    m = 0.05 * bump(u - 0.28, 0.16) - 0.06 * bump(u, 0.16) + 0.24 * np.minimum(u, 1.2) ** 3
    return MOUTH_Y + m


def close_lips(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rest points with the lips brought together, and which lip they belong to (1 upper, -1 lower)."""
    x, y, z = points.T
    profile = np.clip(1 - (x / MOUTH_HALF_WIDTH) ** 2, 0, 1)
    side = np.where(y > seam(x), 1.0, -1.0)
    away = np.abs(y - seam(x))
    near = np.exp(-(np.maximum(away - np.where(side > 0, 0.8, 1.3), 0) ** 2)) * smooth(0.0, 3.4, z)
    moved = points.copy()
    moved[:, 1] -= np.where(side > 0, REST_GAP_UPPER, -REST_GAP_LOWER) * profile * near
    return moved, side


def displacement(p: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacement of every shape at 1: [K, V, 3]."""
    x, y, z = p.T
    w = MOUTH_HALF_WIDTH
    u, s = x / w, np.sign(x)
    dy = y - seam(x)
    front = smooth(-0.5, 3.0, z)
    mouth = np.exp(-((np.abs(x) / 3.9) ** 4) - (np.abs(dy) / 2.7) ** 4) * front
    lip = np.exp(-((np.abs(x) / 2.7) ** 6) - (np.abs(dy) / 1.15) ** 4) * front
    middle = np.exp(-((np.abs(x) / 1.9) ** 4))
    upper, lower = np.where(side > 0, lip, 0.0), np.where(side < 0, lip, 0.0)
    flank = bump(np.abs(x) - 1.35, 0.65)
    corner = bump(np.hypot(np.abs(x) - w, dy), 1.5) * front
    cheek = bump(np.hypot(np.abs(x) - 4.2, y + 3.7), 2.1) * front
    zero = np.zeros_like(x)

    def field(dx: NDArray[np.float64], dy: NDArray[np.float64], dz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([dx, dy, dz], axis=-1)

    spread = np.clip(u, -1.3, 1.3)
    fields = {
        "stretch": field(0.42 * spread * mouth, -0.06 * dy * lip, -0.22 * spread**2 * mouth),
        "pucker": field(
            -0.98 * spread * mouth,
            0.10 * dy * lip + 0.12 * upper * middle - 0.24 * lower * flank + 0.05 * lower * bump(x, 0.7),
            (0.62 * middle + 0.30) * mouth,
        ),
        "funnel": field(
            -0.55 * spread * mouth,
            0.32 * upper * middle - 0.16 * lower * middle - 0.18 * lower * flank,
            (0.40 * middle + 0.2) * lip + 0.12 * mouth,
        ),
        "press": field(zero, -0.30 * dy * lip - side * 0.06 * lip, -0.16 * lip),
        "tuck": field(
            zero, 0.34 * lower * (0.5 + 0.5 * middle) + 0.24 * upper * middle, -0.42 * lower * (0.4 + 0.6 * middle)
        ),
        "smile": field(
            0.52 * s * corner + 0.16 * s * cheek,
            0.52 * corner + 0.34 * cheek,
            -0.34 * corner + 0.22 * cheek - 0.10 * lip,
        ),
        "raise_lip": field(
            zero, 0.36 * upper * middle + 0.12 * bump(np.hypot(np.abs(x) - 1.2, y + 4.0), 1.0) * front, 0.04 * upper
        ),
        "depress": field(zero, -0.42 * lower * middle - 0.12 * np.where(side < 0, mouth, 0), 0.06 * lower),
        "puff": field(0.5 * s * cheek, zero, 0.35 * cheek + 0.25 * lip),
        "brow_up": field(
            zero,
            0.62 * bump(y - 2.6, 1.5) * front * np.exp(-((np.abs(x) / 6.0) ** 4)),
            0.05 * bump(y - 2.6, 1.5) * front,
        ),
        "brow_in": field(
            -0.3 * s * bump(np.hypot(np.abs(x) - 1.8, y - 2.1), 1.5) * front,
            -0.42 * bump(np.hypot(np.abs(x) - 1.4, y - 2.1), 1.5) * front,
            zero,
        ),
        "squint": field(
            zero,
            0.22 * bump(np.hypot((np.abs(x) - EYE[0]) * 0.7, y + 1.5), 0.9) * front,
            0.10 * bump(np.hypot(np.abs(x) - 3.6, y + 1.9), 1.3) * front,
        ),
    }
    return np.stack([fields[name] for name in SHAPES])


def jaw_weight(p: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 moves with the skull, 1 with the jaw. Between the lips it jumps; at the corners it is smooth."""
    x, y, z = p.T
    dy = y - seam(x)
    profile = np.clip(1 - (np.abs(x) / (MOUTH_HALF_WIDTH + 0.05)) ** 2, 0, 1)
    apart = profile ** (0.5 + 1.0 * smooth(0.1, 1.3, np.abs(dy))) * smooth(1.6, 3.4, z)
    width = 0.02 + 1.6 * (1 - apart)
    split = 0.5 - 0.5 * np.tanh(dy / width)
    split = np.where(side < 0, np.maximum(split, 0.5 + 0.5 * apart), np.minimum(split, 0.5 - 0.5 * apart))
    cheek = 1 - 0.75 * smooth(2.8, 7.0, np.abs(x)) * smooth(-10.0, -6.0, y)
    below = 1 - smooth(-9.6, -12.6, y + 0.35 * np.minimum(z, 3.0))
    return np.clip(split * cheek, 0, 1) * smooth(-5.5, 0.5, z) * below
