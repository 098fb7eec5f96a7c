"""People's heads in one frame: shape with lips closed and open, and motion, from tracked points.

Each frame's points are laid by a similarity on the person's own median head; what is left over is expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from models.errors import FaceModelError
from models.tracker import Track
from models.training.tracked_mesh import SURFACE

PUPILS_APART = 6.3  # cm, an adult's
PUPILS = (468, 473)
GAP = (13, 14)  # the inner lips' middle
RIGID = (
    33, 133, 362, 263, 168, 6, 197, 195, 10, 151, 9, 8, 127, 356, 234, 454,
    21, 251, 54, 284, 103, 332, 67, 297, 109, 338, 116, 345, 117, 346,
)  # fmt: skip
"""Points that expressions move least: eye corners, nose bridge, forehead, temples, cheek bones."""
CLOSED = 0.1  # share of frames with the smallest gap that show "lips closed"

Motion = Float[np.ndarray, "N P 3"]


@dataclass(frozen=True)
class Person:
    """What the clips of one person say, in centimetres, in one head frame."""

    closed: Float[np.ndarray, "478 3"]
    """Mean over the frames with the lips closed."""
    opened: Float[np.ndarray, "478 3"]
    """Mean over the frames with the mouth wide open."""
    mean: Float[np.ndarray, "478 3"]
    """Mean over all frames."""
    motion: Motion
    """Displacement of the surface points from the mean, frame by frame."""

    def laid_on(self, goal: Float[np.ndarray, "478 3"]) -> Person:
        """The same person in the axes and the size of another head."""
        rotation, scale, shift = similarity(self.mean[list(RIGID)], goal[list(RIGID)])
        move = rotation * scale
        return Person(
            self.closed @ move + shift, self.opened @ move + shift, self.mean @ move + shift, self.motion @ move
        )


def similarity(
    points: Float[np.ndarray, "*N P 3"], goal: Float[np.ndarray, "P 3"]
) -> tuple[Float[np.ndarray, "*N 3 3"], Float[np.ndarray, "*N"], Float[np.ndarray, "*N 1 3"]]:
    """Rotation, scale, shift with points @ rotation * scale + shift nearest to goal (Umeyama 1991)."""
    centre, target = points.mean(-2, keepdims=True), goal.mean(0)
    a, b = points - centre, goal - target
    u, values, v = np.linalg.svd(np.swapaxes(a, -1, -2) @ b)
    values[..., 2] *= np.sign(np.linalg.det(u @ v))
    u[..., 2] *= np.sign(np.linalg.det(u @ v))[..., None]
    rotation = u @ v
    scale = np.asarray(values.sum(-1) / (a**2).sum((-1, -2)))
    return rotation, scale, target - scale[..., None, None] * (centre @ rotation)


def laid_on(points: Float[np.ndarray, "*N 478 3"], goal: Float[np.ndarray, "478 3"]) -> Float[np.ndarray, "*N 478 3"]:
    """Points moved by the similarity that lays their rigid ones on those of the goal."""
    rotation, scale, shift = similarity(points[..., RIGID, :], goal[list(RIGID)])
    return points @ rotation * scale[..., None, None] + shift


def head_fixed(track: Track) -> tuple[Float[np.ndarray, "N 478 3"], Float[np.ndarray, "N 3"]]:
    """Valid frames laid on the clip's own median head, cm, y up; and each frame's turn, as sines."""
    points = track.points[track.valid].astype(float) * [1, -1, 1]
    goal = points[len(points) // 2]
    for _ in range(4):
        fixed = laid_on(points, goal)
        goal = np.median(fixed, 0)
    scale = PUPILS_APART / np.linalg.norm(goal[PUPILS[0]] - goal[PUPILS[1]])
    rotation = similarity(points[:, RIGID], goal[list(RIGID)])[0]
    turn = np.stack([rotation[:, 1, 2], rotation[:, 2, 0], rotation[:, 0, 1]], 1)
    return fixed * scale, turn


def read_clip(track: Track) -> Person:
    """Take the motion apart from the shape."""
    points, turn = head_fixed(track)
    gap = np.linalg.norm(points[:, GAP[0]] - points[:, GAP[1]], axis=1)
    mean = points.mean(0)
    motion, turn = (points - mean).reshape(len(points), -1), turn - turn.mean(0)
    # The tracker's depth errs with the head's turn; what follows the turn linearly is no expression.
    motion -= turn @ np.linalg.lstsq(turn, motion, rcond=None)[0]
    return Person(
        closed=points[gap <= np.quantile(gap, CLOSED)].mean(0),
        opened=points[gap >= np.quantile(gap, 1 - CLOSED)].mean(0),
        mean=mean,
        motion=motion.reshape(points.shape)[:, :SURFACE],
    )


def read_person(tracks: Sequence[Track]) -> Person:
    """All clips of a person, laid on the first; longer clips do not weigh more in the shapes."""
    clips = [read_clip(track) for track in tracks]
    clips = [clip.laid_on(clips[0].mean) for clip in clips]
    return Person(
        closed=np.mean([clip.closed for clip in clips], 0),
        opened=np.mean([clip.opened for clip in clips], 0),
        mean=np.mean([clip.mean for clip in clips], 0),
        motion=np.concatenate([clip.motion for clip in clips]),
    )


def mirrored_points(face: Float[np.ndarray, "478 3"]) -> Int[np.ndarray, "478"]:
    """For each tracker point the one on the other side: the nearest in the face's reflection."""
    right, left = face[list(PUPILS)]
    across = (left - right) / np.linalg.norm(left - right)
    moved = face - 2 * ((face - (left + right) / 2) @ across)[:, None] * across
    for _ in range(3):
        partner = linear_sum_assignment(((face[:, None] - moved) ** 2).sum(-1))[1]
        moved = laid_on(moved[partner], face)[np.argsort(partner)]
    if (partner[partner] != np.arange(len(face))).any():
        raise FaceModelError("The clips' mean face is too lopsided to tell left from right; use more people.")
    return partner


def symmetric(face: Float[np.ndarray, "478 3"], partner: Int[np.ndarray, "478"]) -> Float[np.ndarray, "478 3"]:
    """The face averaged with its reflection; mirror plane x = 0, forehead above chin, rigid points centred."""
    face = (face + laid_on(face[partner] * [-1, 1, 1], face)) / 2
    across = (face - face[partner])[face[:, 0] > face[partner, 0]].sum(0)
    across /= np.linalg.norm(across)
    up = face[10] - face[152]
    up -= across * (up @ across)
    up /= np.linalg.norm(up)
    face = face @ np.stack([across, up, np.cross(across, up)], 1)
    face -= face[list(RIGID)].mean(0)
    return (face + face[partner] * [-1, 1, 1]) / 2


def mean_faces(
    people: Sequence[Person],
) -> tuple[Float[np.ndarray, "478 3"], Float[np.ndarray, "478 3"], Int[np.ndarray, "478"]]:
    """The average person with lips closed and with mouth open, both symmetric, and the left-right table."""
    goal = people[0].mean
    for _ in range(3):
        laid = [person.laid_on(goal) for person in people]
        goal = np.mean([person.mean for person in laid], 0)
        goal *= PUPILS_APART / np.linalg.norm(goal[PUPILS[0]] - goal[PUPILS[1]])
    closed = np.mean([person.closed for person in laid], 0)
    opened = np.mean([person.opened for person in laid], 0)
    partner = mirrored_points(opened)
    closed = symmetric(closed, partner)
    opened = laid_on(opened, closed)
    return closed, (opened + opened[partner] * [-1, 1, 1]) / 2, partner
