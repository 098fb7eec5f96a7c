"""Eyelids and lashes: shells over the eyeballs, laid out anew for every pose."""

import numpy as np
from numpy.typing import NDArray

from models.character.body import LID_COLUMNS
from models.character.controls import Controls
from models.character.sculpt import EYE_RADIUS, LID_HALF_WIDTH


def _margin(c: Controls, eye: int, lower: int, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height (cm) of a lid's margin over the eye's centre, at columns u = -1..1."""
    inner = u * (1 - 2 * eye)  # +1 at the corner next to the nose
    arc = 1 - u * u
    tilt = -0.07 * inner
    closed = -0.46 * arc
    if lower:
        shut = min(1.0, 0.55 * c.squint + 0.12 * c.smile + c.blink)
        height = -0.71 * arc * (1 - 0.10 * inner) + 0.25 * c.gaze_y * arc
        return height + shut * (closed - height) + tilt
    look = np.clip(0.75 * c.gaze_y, -0.35, 0.15)
    height = (0.68 + look + 0.10 * c.brow_up - 0.12 * c.squint) * arc * (1 + 0.12 * inner)
    return height + min(c.blink, 1.0) * (closed - 0.04 - height) + tilt


def lid_points(c: Controls, eye: int, lower: int, rows: int) -> NDArray[np.float64]:
    """[columns·rows, 3]: a shell over the eyeball from its margin to behind the skin."""
    u = np.linspace(-1, 1, LID_COLUMNS)[:, None]
    x = LID_HALF_WIDTH * u
    sign = -1.0 if lower else 1.0
    thick = np.array([0.0, 0.05, 0.085, 0.10])
    radius = EYE_RADIUS + 0.005 + np.r_[thick, np.full(rows - 4, 0.105)][None, :]
    reach = np.sqrt(np.maximum(radius**2 - x**2, 0.02))
    start = np.arcsin(np.clip(_margin(c, eye, lower, u) / reach, -1, 1))
    inset = np.array([0.02, 0.0, 0.025, 0.065])
    up = np.r_[inset, inset[-1] + np.linspace(0, 1, rows - 3)[1:] ** 1.3 * 1.25]
    angle = start + sign * up[None, :]
    points = np.stack([np.broadcast_to(x, angle.shape), reach * np.sin(angle), reach * np.cos(angle)], -1)
    return points.reshape(-1, 3)


def lash_points(c: Controls, eye: int, lower: int) -> NDArray[np.float64]:
    """[columns·4, 3]: a short dark fringe on the margin, longest towards the outer corner."""
    u = np.linspace(-1, 1, LID_COLUMNS)[:, None]
    x = LID_HALF_WIDTH * u
    outer = -u * (1 - 2 * eye)
    length = (0.05 if lower else 0.20) * (0.5 + 0.5 * outer) * np.clip(4 * (1 - np.abs(u)), 0, 1)
    out = np.linspace(0, 1, 4)[None, :] * length
    radius = EYE_RADIUS + 0.09 + out
    reach = np.sqrt(np.maximum((EYE_RADIUS + 0.09) ** 2 - x**2, 0.02))
    start = np.arcsin(np.clip(_margin(c, eye, lower, u) / reach, -1, 1))
    sign = -1.0 if lower else 1.0
    angle = start + sign * (0.01 + 0.8 * out**1.2)
    scale = radius / (EYE_RADIUS + 0.09)
    points = np.stack(
        [np.broadcast_to(x, angle.shape) * scale, reach * np.sin(angle) * scale, reach * np.cos(angle) * scale], -1
    )
    return points.reshape(-1, 3)
