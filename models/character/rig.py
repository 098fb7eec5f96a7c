"""Expression parameters and head pose -> where every vertex of the character is.

The face moves by fields of displacement (face.py), the lower jaw by a rotation about its joint. Lips that would pass
through each other meet on the line between them.
"""

import numpy as np
from numpy.typing import NDArray

from models.character.body import LID_ROWS, Body
from models.character.controls import Controls
from models.character.face import SHAPES, close_lips, displacement, jaw_weight, seam, smooth
from models.character.lids import lash_points, lid_points
from models.character.mesh import Floats
from models.character.sculpt import EYE, MOUTH_HALF_WIDTH, TEETH_Y

JAW_JOINT = np.array([0.0, -1.8, -4.5])
JAW_RANGE = np.radians(21.0)  # jaw = 1
NECK = np.array([0.0, -11.0, -4.6])  # the head turns about it


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
        contour = np.concatenate([np.stack([self._line, seam(self._line) + e, z], -1) for e in (1e-3, -1e-3)])
        closed, side = close_lips(rest)
        self._closed = np.concatenate([closed, contour])
        self._side = np.concatenate([side, np.sign(contour[:, 1] - seam(contour[:, 0]))])
        self._basis = displacement(self._closed, self._side).reshape(len(SHAPES), -1).astype(np.float32)
        self._jaw = jaw_weight(self._closed, self._side)[:, None]
        dy = self._closed[:, 1] - seam(self._closed[:, 0])
        self._touch = (np.abs(dy) < 1.1) & (np.abs(self._closed[:, 0]) < MOUTH_HALF_WIDTH) & (self._closed[:, 2] > 3.3)
        self._touch[len(rest) :] = False
        _, y, z = body.rest.astype(np.float64).T
        self._follow = smooth(-14.5, -9.0, y + 0.6 * np.clip(z + 2, 0, 4))[:, None]
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

    def _turn_jaw(
        self, points: NDArray[np.float64], c: Controls, weight: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        swung = (points - JAW_JOINT) @ rotation(0.0, c.jaw * JAW_RANGE, 0.0).T + JAW_JOINT
        swung[:, 2] -= 0.25 * c.jaw
        return points + weight * (swung - points)

    def _move_face(self, c: Controls, out: NDArray[np.float64]) -> None:
        amounts = np.array([getattr(c, name) for name in SHAPES], np.float32)
        amounts[SHAPES.index("raise_lip")] += 0.45 * c.jaw  # the upper lip gives way a little
        p = self._closed + (amounts @ self._basis).reshape(-1, 3)
        p = self._turn_jaw(p, c, self._jaw)
        n = len(self._line)
        upper, lower = p[-2 * n : -n], p[-n:]
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
            out[part] = p[start : start + count]
            start += count

    def _move_mouth(self, c: Controls, out: NDArray[np.float64]) -> None:
        part = self.body.slices["lower_teeth"]
        out[part] = self._turn_jaw(out[part], c, 1.0)
        part = self.body.slices["gums"]
        lower = (self.body.rest[part][:, 1] < TEETH_Y)[:, None]
        out[part] = self._turn_jaw(out[part], c, lower.astype(np.float64))
        part = self.body.slices["tongue"]
        tip = smooth(-0.5, 3.2, out[part][:, 2])
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
            weight = smooth(5.0, 13.0, np.abs(p[:, 0]))
            angle = c.swing * weight
            centre = np.stack([6.0 * np.sign(p[:, 0]), np.full(len(p), 11.0)], -1)
            d = p[:, :2] - centre
            cos, sin = np.cos(angle), np.sin(angle)
            p[:, :2] = centre + np.stack([cos * d[:, 0] - sin * d[:, 1], sin * d[:, 0] + cos * d[:, 1]], -1)
            out[part] = p
