"""Expression parameters and head pose -> where every vertex of the character is.

The face moves by fields of displacement that are functions of the rest position (so brows and lips follow the skin),
the lower jaw by a rotation about its joint. Lips that would pass through each other meet on the line between them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.character.body import LID_COLUMNS, LID_ROWS, Body
from models.character.mesh import Floats
from models.character.sculpt import (
    EYE,
    EYE_RADIUS,
    MOUTH_HALF_WIDTH,
    MOUTH_Y,
    REST_GAP_LOWER,
    REST_GAP_UPPER,
    TEETH_Y,
)

JAW_JOINT = np.array([0.0, -1.8, -4.5])
JAW_RANGE = np.radians(21.0)            # jaw = 1
NECK = np.array([0.0, -11.0, -4.6])     # the head turns about it
SHAPES = ("stretch", "pucker", "funnel", "press", "tuck", "smile", "raise_lip", "depress", "puff", "brow_up",
          "brow_in", "squint")


@dataclass(frozen=True)
class Controls:
    """One moment of the performance. Shapes and lids 0..1 (stretch -1..1), angles in radians, lengths in cm."""

    jaw: float = 0.0
    stretch: float = 0.0
    pucker: float = 0.0
    funnel: float = 0.0
    press: float = 0.0
    tuck: float = 0.0
    smile: float = 0.0
    raise_lip: float = 0.0
    depress: float = 0.0
    puff: float = 0.0
    brow_up: float = 0.0
    brow_in: float = 0.0
    squint: float = 0.0
    tongue_up: float = 0.0
    tongue_out: float = 0.0
    blink: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    breath: float = 0.0
    swing: float = 0.0


def _bump(distance: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    return np.exp(-((distance / size) ** 2))


def _smooth(low: float, high: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _seam(x: NDArray[np.float64]) -> NDArray[np.float64]:
    u = np.abs(x) / MOUTH_HALF_WIDTH
    m = 0.05 * _bump(u - 0.28, 0.16) - 0.06 * _bump(u, 0.16) + 0.16 * np.minimum(u, 1.2) ** 3
    return MOUTH_Y + m


def _closed(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rest points with the lips brought together, and which lip they belong to (1 upper, -1 lower)."""
    x, y, z = points.T
    profile = np.clip(1 - (x / MOUTH_HALF_WIDTH) ** 2, 0, 1)
    side = np.where(y > _seam(x), 1.0, -1.0)
    away = np.abs(y - _seam(x))
    near = np.exp(-(np.maximum(away - 0.6, 0) / 0.9) ** 2) * _smooth(0.0, 3.4, z)
    moved = points.copy()
    moved[:, 1] -= np.where(side > 0, REST_GAP_UPPER, -REST_GAP_LOWER) * profile * near
    return moved, side


def _fields(p: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacement of every shape at 1: [K, V, 3]."""
    x, y, z = p.T
    w = MOUTH_HALF_WIDTH
    u, s = x / w, np.sign(x)
    dy = y - _seam(x)
    front = _smooth(-0.5, 3.0, z)
    mouth = np.exp(-(np.abs(x) / 3.9) ** 4 - (np.abs(dy) / 2.7) ** 4) * front
    lip = np.exp(-(np.abs(x) / 2.7) ** 6 - (np.abs(dy) / 1.15) ** 4) * front
    middle = np.exp(-(np.abs(x) / 1.9) ** 4)
    upper, lower = np.where(side > 0, lip, 0.0), np.where(side < 0, lip, 0.0)
    corner = _bump(np.hypot(np.abs(x) - w, dy), 1.5) * front
    cheek = _bump(np.hypot(np.abs(x) - 4.2, y + 3.7), 2.1) * front
    zero = np.zeros_like(x)

    def field(dx: NDArray[np.float64], dy: NDArray[np.float64], dz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([dx, dy, dz], axis=-1)

    spread = np.clip(u, -1.3, 1.3)
    fields = {
        "stretch": field(0.42 * spread * mouth, -0.06 * dy * lip, -0.22 * spread**2 * mouth),
        "pucker": field(-0.98 * spread * mouth, 0.10 * dy * lip + 0.02 * lip * side, (0.62 * middle + 0.30) * mouth),
        "funnel": field(-0.55 * spread * mouth, 0.20 * upper * middle - 0.26 * lower * middle,
                        (0.40 * middle + 0.2) * lip + 0.12 * mouth),
        "press": field(zero, -0.30 * dy * lip - side * 0.06 * lip, -0.16 * lip),
        "tuck": field(zero, 0.34 * lower * (0.5 + 0.5 * middle) + 0.16 * upper * middle, -0.42 * lower * (0.4 + 0.6 * middle)),
        "smile": field(0.52 * s * corner + 0.16 * s * cheek, 0.52 * corner + 0.34 * cheek,
                       -0.34 * corner + 0.22 * cheek - 0.10 * lip),
        "raise_lip": field(zero, 0.36 * upper * middle + 0.12 * _bump(np.hypot(np.abs(x) - 1.2, y + 4.0), 1.0) * front,
                           0.04 * upper),
        "depress": field(zero, -0.42 * lower * middle - 0.12 * np.where(side < 0, mouth, 0), 0.06 * lower),
        "puff": field(0.5 * s * cheek, zero, 0.35 * cheek + 0.25 * lip),
        "brow_up": field(zero, 0.62 * _bump(y - 2.6, 1.5) * front * np.exp(-(np.abs(x) / 6.0) ** 4),
                         0.05 * _bump(y - 2.6, 1.5) * front),
        "brow_in": field(-0.3 * s * _bump(np.hypot(np.abs(x) - 1.8, y - 2.1), 1.5) * front,
                         -0.42 * _bump(np.hypot(np.abs(x) - 1.4, y - 2.1), 1.5) * front, zero),
        "squint": field(zero, 0.22 * _bump(np.hypot((np.abs(x) - EYE[0]) * 0.7, y + 1.5), 0.9) * front,
                        0.10 * _bump(np.hypot(np.abs(x) - 3.6, y + 1.9), 1.3) * front),
    }
    return np.stack([fields[name] for name in SHAPES])


def _jaw_weight(p: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 moves with the skull, 1 with the jaw. Between the lips it jumps; at the corners it is smooth."""
    x, y, z = p.T
    dy = y - _seam(x)
    profile = np.sqrt(np.clip(1 - (np.abs(x) / (MOUTH_HALF_WIDTH + 0.08)) ** 2, 0, 1))
    width = 0.02 + 2.0 * (1 - profile * _smooth(2.0, 4.0, z))
    split = 0.5 - 0.5 * np.tanh(dy / width)
    split = np.where((side < 0) & (profile > 0.3), np.maximum(split, profile), split)
    cheek = 1 - 0.75 * _smooth(2.8, 7.0, np.abs(x)) * _smooth(-10.0, -6.0, y)
    below = 1 - _smooth(-9.6, -12.6, y + 0.35 * np.minimum(z, 3.0))
    return np.clip(split * cheek, 0, 1) * _smooth(-5.5, 0.5, z) * below


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Yaw about y, then pitch about x, then roll about z."""
    cy, sy, cx, sx, cz, sz = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


class Rig:
    """Poses one body. `pose(controls)` gives vertices float32[V, 3] in the world (cm)."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._face = [body.slices["head"], body.slices["brows"]]
        rest = np.concatenate([body.rest[part] for part in self._face]).astype(np.float64)
        # The lips' inner contours ride along: where they cross, the lips touch.
        self._line = np.linspace(-MOUTH_HALF_WIDTH * 0.97, MOUTH_HALF_WIDTH * 0.97, 41)
        z = 4.6 - 0.19 * self._line**2
        contour = np.concatenate([np.stack([self._line, _seam(self._line) + e, z], -1) for e in (1e-3, -1e-3)])
        closed, side = _closed(rest)
        self._closed = np.concatenate([closed, contour])
        self._side = np.concatenate([side, np.sign(contour[:, 1] - _seam(contour[:, 0]))])
        self._basis = _fields(self._closed, self._side).reshape(len(SHAPES), -1).astype(np.float32)
        self._jaw = _jaw_weight(self._closed, self._side)[:, None]
        dy = self._closed[:, 1] - _seam(self._closed[:, 0])
        self._touch = (np.abs(dy) < 1.1) & (np.abs(self._closed[:, 0]) < MOUTH_HALF_WIDTH) & (self._closed[:, 2] > 3.3)
        self._touch[len(rest):] = False
        x, y, z = body.rest.astype(np.float64).T
        self._follow = _smooth(-14.5, -9.0, y + 0.6 * np.clip(z + 2, 0, 4))[:, None]
        for name in body.slices:
            if name not in ("head", "coat", "ruff", "buttons"):
                self._follow[body.slices[name]] = 1.0
        for name, share in (("coat", 0.0), ("buttons", 0.0), ("ruff", 0.22)):
            self._follow[body.slices[name]] = share

    def pose(self, c: Controls) -> Floats:
        """Where the vertices are for these controls."""
        out = self.body.rest.astype(np.float64)
        self._move_face(c, out)
        self._move_mouth(c, out)
        self._move_eyes(c, out)
        self._swing(c, out)
        turned = (out - NECK) @ rotation(c.yaw, c.pitch, c.roll).T + NECK + (c.shift_x, c.shift_y, 0.0)
        out += self._follow * (turned - out)
        still = 1 - self._follow[:, 0]
        out[:, 0] += 0.35 * c.shift_x * still
        out[:, 1] += (0.18 * c.breath + 0.35 * c.shift_y) * still
        out[:, 2] += 0.20 * c.breath * still
        return out.astype(np.float32)

    def _turn_jaw(self, points: NDArray[np.float64], c: Controls, weight: NDArray[np.float64] | float
                  ) -> NDArray[np.float64]:
        swung = (points - JAW_JOINT) @ rotation(0.0, c.jaw * JAW_RANGE, 0.0).T + JAW_JOINT
        swung[:, 2] -= 0.25 * c.jaw
        return points + weight * (swung - points)

    def _move_face(self, c: Controls, out: NDArray[np.float64]) -> None:
        amounts = np.array([getattr(c, name) for name in SHAPES], np.float32)
        p = self._closed + (amounts @ self._basis).reshape(-1, 3)
        p = self._turn_jaw(p, c, self._jaw)
        n = len(self._line)
        upper, lower = p[-2 * n:-n], p[-n:]
        # Where the contours cross, both lips stop at the middle, flattened against each other.
        x = p[:, 0]
        high = np.interp(x, upper[:, 0], upper[:, 1])
        low = np.interp(x, lower[:, 0], lower[:, 1])
        crossing, middle = high <= low + 0.015, (high + low) / 2
        touch = self._touch & crossing
        p[:, 1] = np.where(touch & (self._side > 0), np.maximum(p[:, 1], middle), p[:, 1])
        p[:, 1] = np.where(touch & (self._side < 0), np.minimum(p[:, 1], middle), p[:, 1])
        start = 0
        for part in self._face:
            count = part.stop - part.start
            out[part] = p[start:start + count]
            start += count

    def _move_mouth(self, c: Controls, out: NDArray[np.float64]) -> None:
        for name in ("teeth", "gums"):
            part = self.body.slices[name]
            lower = (self.body.rest[part][:, 1] < TEETH_Y)[:, None]
            out[part] = self._turn_jaw(out[part], c, lower.astype(np.float64))
        part = self.body.slices["tongue"]
        tip = _smooth(-0.5, 3.2, out[part][:, 2])
        out[part, 1] += c.tongue_up * 0.95 * tip + 0.25 * c.tongue_out * tip
        out[part, 2] += c.tongue_out * 1.35 * tip + 0.25 * c.tongue_up * tip
        out[part] = self._turn_jaw(out[part], c, 0.92)

    def _move_eyes(self, c: Controls, out: NDArray[np.float64]) -> None:
        turn = rotation(c.gaze_x, -c.gaze_y, 0.0)
        for eye in range(2):
            centre = np.array(EYE) * (2 * eye - 1, 1, 1)
            part = self.body.slices[f"eye{eye}"]
            out[part] = (out[part] - centre) @ turn.T + centre
            for lower in range(2):
                lid = self.body.slices[f"lid{2 * eye + lower}"]
                grid = lid_points(c, eye, lower, LID_ROWS) + centre
                out[lid] = np.concatenate([grid, grid])
                lash = self.body.slices[f"lash{2 * eye + lower}"]
                grid = lash_points(c, eye, lower) + centre
                out[lash] = np.concatenate([grid, grid])

    def _swing(self, c: Controls, out: NDArray[np.float64]) -> None:
        for name in ("cap", "bells"):
            part = self.body.slices[name]
            p = out[part]
            weight = _smooth(5.0, 13.0, np.abs(p[:, 0]))
            angle = c.swing * weight
            centre = np.stack([6.0 * np.sign(p[:, 0]), np.full(len(p), 11.0)], -1)
            d = p[:, :2] - centre
            cos, sin = np.cos(angle), np.sin(angle)
            p[:, :2] = centre + np.stack([cos * d[:, 0] - sin * d[:, 1], sin * d[:, 0] + cos * d[:, 1]], -1)
            out[part] = p


def _margin(c: Controls, eye: int, lower: int, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height (cm) of a lid's margin over the eye's centre, at columns u = -1..1."""
    inner = u * (1 - 2 * eye)                      # +1 at the corner next to the nose
    arc = 1 - u * u
    tilt = -0.07 * inner
    closed = -0.40 * arc
    if lower:
        shut = min(1.0, 0.55 * c.squint + 0.12 * c.smile + c.blink)
        height = -0.64 * arc * (1 - 0.10 * inner) + 0.25 * c.gaze_y * arc
        return height + shut * (closed - 0.03 - height) + tilt
    look = np.clip(0.75 * c.gaze_y, -0.35, 0.15)
    height = (0.66 + look + 0.10 * c.brow_up - 0.12 * c.squint) * arc * (1 + 0.12 * inner)
    return height + min(c.blink, 1.0) * (closed - height) + tilt


def lid_points(c: Controls, eye: int, lower: int, rows: int) -> NDArray[np.float64]:
    """[columns·rows, 3]: a shell over the eyeball from its margin to behind the skin."""
    u = np.linspace(-1, 1, LID_COLUMNS)[:, None]
    x = 1.53 * u
    sign = -1.0 if lower else 1.0
    thick = np.array([0.0, 0.05, 0.085, 0.10])
    radius = EYE_RADIUS + 0.005 + np.r_[thick, np.full(rows - 4, 0.105)][None, :]
    reach = np.sqrt(np.maximum(radius**2 - x**2, 0.02))
    start = np.arcsin(np.clip(_margin(c, eye, lower, u) / reach, -1, 1))
    inset = np.array([0.015, 0.0, 0.012, 0.04])
    up = np.r_[inset, inset[-1] + np.linspace(0, 1, rows - 3)[1:] ** 1.3 * 1.25]
    angle = start + sign * up[None, :]
    points = np.stack([np.broadcast_to(x, angle.shape), reach * np.sin(angle), reach * np.cos(angle)], -1)
    return points.reshape(-1, 3)


def lash_points(c: Controls, eye: int, lower: int) -> NDArray[np.float64]:
    """[columns·4, 3]: a short dark fringe on the margin, longest towards the outer corner."""
    u = np.linspace(-1, 1, LID_COLUMNS)[:, None]
    x = 1.53 * u
    outer = -u * (1 - 2 * eye)
    length = (0.05 if lower else 0.20) * (0.5 + 0.5 * outer) * np.clip(4 * (1 - np.abs(u)), 0, 1)
    out = np.linspace(0, 1, 4)[None, :] * length
    radius = EYE_RADIUS + 0.09 + out
    reach = np.sqrt(np.maximum((EYE_RADIUS + 0.09) ** 2 - x**2, 0.02))
    start = np.arcsin(np.clip(_margin(c, eye, lower, u) / reach, -1, 1))
    sign = -1.0 if lower else 1.0
    angle = start + sign * (0.01 + 0.8 * out**1.2)
    scale = radius / (EYE_RADIUS + 0.09)
    points = np.stack([np.broadcast_to(x, angle.shape) * scale, reach * np.sin(angle) * scale,
                       reach * np.cos(angle) * scale], -1)
    return points.reshape(-1, 3)
