"""The two linear problems that a face fit alternates between: motion over time, and the person's shape.

Letters: N frames, M landmarks, K expression coefficients, D = 6 + K unknowns per frame (turn, shift, expression).
Everything is measured in standard deviations: residuals are divided by the tracker's noise, unknowns by their priors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import solve, solveh_banded
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from models.camera import Camera, rotation_matrix
from models.face_model import FaceModel

CHUNK = 32  # frames linearised at once: a few tens of megabytes
HUBER = 2.0  # standard deviations up to which an error counts as noise
# How fast a head moves: standard deviation of the acceleration, per s².
TURN, SHIFT = 8.0, 40.0  # radians, cm
EXPRESSION = 600.0  # typical sizes of a coefficient: about two thirds of one from frame to frame
PERSON_FRAMES = 50.0  # errors of neighbouring frames are alike: a clip says as much on the shape as so many
OWN_SHAPE = 0.15  # cm by which a point may lie off the identity basis
DEPTH_NOISE = 0.3  # cm, of the tracker's depth averaged over the clip


@dataclass(frozen=True)
class Motion:
    """The unknowns of N frames."""

    rotation: Float[np.ndarray, "N 3"]
    translation: Float[np.ndarray, "N 3"]
    expression: Float[np.ndarray, "N K"]

    def moved(self, step: Float[np.ndarray, "N D"]) -> Motion:
        """After an increment; turns are applied in the camera's axes."""
        turned = Rotation.from_rotvec(step[:, :3]) * Rotation.from_rotvec(self.rotation)
        return Motion(turned.as_rotvec(), self.translation + step[:, 3:6], self.expression + step[:, 6:])

    def flat(self) -> Float[np.ndarray, "N D"]:
        return np.concatenate([self.rotation, self.translation, self.expression], 1)


@dataclass(frozen=True)
class Observation:
    """What the tracker saw of the model's landmarks, and how far to trust it."""

    camera: Camera
    points: Float[np.ndarray, "N M 2"]
    whiten: Float[np.ndarray, "N M 2 2"]
    """Error in px -> error in standard deviations."""
    depth: Float[np.ndarray, "M"]
    """z in the head frame, averaged over the clip, cm."""
    seconds: float
    """From frame to frame."""


@dataclass(frozen=True)
class Shape:
    """The person's landmarks: neutral = mean + identity + own + mean expression, all of [M, 3] cm."""

    mean: Float[np.ndarray, "M 3"]
    basis: Float[np.ndarray, "I M 3"]
    expressions: Float[np.ndarray, "K M 3"]
    scale: Float[np.ndarray, "K"]
    identity: Float[np.ndarray, "I"]
    own: Float[np.ndarray, "M 3"]
    habit: Float[np.ndarray, "K"]
    """Expression that the person wears on average; part of the neutral, so that coefficients vary around 0."""

    @property
    def neutral(self) -> Float[np.ndarray, "M 3"]:
        return (
            self.mean
            + np.tensordot(self.identity, self.basis, 1)
            + self.own
            + np.tensordot(self.habit, self.expressions, 1)
        )


@dataclass(frozen=True)
class Linear:
    """The camera's view of some frames, linearised: error ≈ error - by_point · (displacement of a landmark)."""

    frames: slice
    error: Float[np.ndarray, "n M 2"]
    by_point: Float[np.ndarray, "n M 2 3"]
    """Derivative by the landmark in the head frame."""
    by_place: Float[np.ndarray, "n M 2 3"]
    """Derivative by the landmark in the camera frame."""
    arm: Float[np.ndarray, "n M 3"]
    """From the head's origin to the landmark, in camera axes."""


def linearised(seen: Observation, shape: Shape, motion: Motion) -> Iterator[Linear]:
    """Whitened and robust (Huber) errors and derivatives, some frames at a time."""
    camera, neutral = seen.camera, shape.neutral
    for start in range(0, len(seen.points), CHUNK):
        frames = slice(start, start + CHUNK)
        turn = rotation_matrix(motion.rotation[frames])
        points = neutral + np.tensordot(motion.expression[frames], shape.expressions, 1)
        arm = points @ np.swapaxes(turn, 1, 2)
        x, y, z = np.moveaxis(arm + motion.translation[frames][:, None], -1, 0)
        near = camera.focal / -z
        view = np.stack([camera.cx + near * x, camera.cy - near * y], -1)
        zero = np.zeros_like(x)
        slope = np.stack([np.stack([near, zero, -near * x / z], -1), np.stack([zero, -near, near * y / z], -1)], -2)
        whiten = seen.whiten[frames]
        error = (whiten @ (seen.points[frames] - view)[..., None])[..., 0]
        length = np.linalg.norm(error, axis=-1)
        trust = np.sqrt(np.minimum(1, HUBER / np.maximum(length, HUBER)))[..., None]
        by_place = (whiten @ slope) * trust[..., None]
        yield Linear(frames, error * trust, by_place @ turn[:, None], by_place, arm)


def motion_step(seen: Observation, shape: Shape, motion: Motion) -> Motion:
    """One Gauss-Newton step of all frames' pose and expression together, with the temporal prior.

    Second differences couple each frame with the two before it, so the normal equations are banded.
    """
    count = len(motion.rotation)
    width = 6 + motion.expression.shape[1]
    normal, right = np.zeros((count, width, width)), np.zeros((count, width))
    basis = shape.expressions.transpose(1, 2, 0)
    for part in linearised(seen, shape, motion):
        turning = np.cross(part.arm[:, :, None], part.by_place)
        derivative = np.concatenate([turning, part.by_place, part.by_point @ basis], -1)
        rows = derivative.reshape(len(derivative), -1, width)
        normal[part.frames] = np.swapaxes(rows, 1, 2) @ rows
        right[part.frames] = (np.swapaxes(rows, 1, 2) @ part.error.reshape(len(rows), -1, 1))[..., 0]

    inverse = 1 / shape.scale**2
    normal[:, range(6, width), range(6, width)] += inverse
    right[:, 6:] -= motion.expression * inverse
    spread = np.concatenate([np.full(3, TURN), np.full(3, SHIFT), EXPRESSION * shape.scale]) * seen.seconds**2
    return motion.moved(solve_in_time(normal, right, motion.flat(), 1 / spread**2))


def solve_in_time(
    normal: Float[np.ndarray, "N D D"],
    right: Float[np.ndarray, "N D"],
    now: Float[np.ndarray, "N D"],
    stiffness: Float[np.ndarray, "D"],
) -> Float[np.ndarray, "N D"]:
    """Increments that solve normal · step = right while now + step has small second differences over time."""
    count, width = right.shape
    second = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(count - 2, count))
    bending = (second.T @ second).tocsr()
    band = np.zeros((2 * width + 1, count * width))  # band[i - j, j] is the matrix's entry (i, j), i >= j
    for column in range(width):
        for row in range(column, width):
            band[row - column, column::width] = normal[:, row, column]
    for frames_apart in range(3):
        diagonal = bending.diagonal(frames_apart)[:, None] * stiffness
        band[frames_apart * width, : diagonal.size] += diagonal.reshape(-1)
    forces = right - (bending @ now) * stiffness
    return solveh_banded(band, forces.reshape(-1), overwrite_ab=True, lower=True, check_finite=False).reshape(
        right.shape
    )


def shape_step(seen: Observation, shape: Shape, motion: Motion) -> Shape:
    """The person's shape that best explains all frames: identity with its prior, and small offsets per landmark."""
    count, modes = len(shape.mean), len(shape.identity)
    normal, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    for part in linearised(seen, shape, motion):
        rows = part.by_point.transpose(1, 0, 2, 3).reshape(count, -1, 3)
        error = part.error.transpose(1, 0, 2).reshape(count, -1, 1)
        normal += np.swapaxes(rows, 1, 2) @ rows
        right += (np.swapaxes(rows, 1, 2) @ error)[..., 0]
    share = min(1.0, PERSON_FRAMES / len(seen.points))
    normal, right = normal * share, right * share
    normal[:, 2, 2] += 1 / DEPTH_NOISE**2
    right[:, 2] += (seen.depth - shape.neutral[:, 2]) / DEPTH_NOISE**2

    basis = shape.basis.reshape(modes, 3 * count).T  # [3M, I]
    blocks = np.zeros((count, 3, count, 3))
    blocks[range(count), :, range(count)] = normal
    whole = blocks.reshape(3 * count, 3 * count)
    pulled = right.reshape(-1) + whole @ (basis @ shape.identity + shape.own.reshape(-1))
    across = whole @ basis
    matrix = np.block(
        [[basis.T @ across + np.eye(modes), across.T], [across, whole + np.eye(3 * count) / OWN_SHAPE**2]]
    )
    answer = solve(matrix, np.concatenate([basis.T @ pulled, pulled]), assume_a="pos")
    return replace(shape, identity=answer[:modes], own=answer[modes:].reshape(count, 3))


def spread_offsets(model: FaceModel, offsets: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, "V 3"]:
    """The smoothest displacement of all vertices that moves the landmarks by the offsets.

    Least squares with the mesh's Laplacian. Pieces without landmarks (what lies behind the lips, teeth, eyeballs) are
    tied to the nearest vertices of the others.
    """
    size = len(model.mean)
    edges = np.concatenate([model.triangles[:, [0, 1]], model.triangles[:, [1, 2]], model.triangles[:, [2, 0]]])
    pieces = connected_components(_adjacency(edges, size), directed=False)[1]
    loose = np.flatnonzero(~np.isin(pieces, pieces[model.landmarks[:, 1]]))
    held = np.flatnonzero(np.isin(pieces, pieces[model.landmarks[:, 1]]))
    nearest = held[cKDTree(model.mean[held]).query(model.mean[loose])[1]]
    adjacency = _adjacency(np.concatenate([edges, np.stack([loose, nearest], 1)]), size)
    laplacian = diags(np.asarray(adjacency.sum(1)).ravel()) - adjacency
    chosen = coo_matrix((np.ones(len(offsets)), (np.arange(len(offsets)), model.landmarks[:, 1])), (len(offsets), size))
    hold = 100.0  # the landmarks' weight against smoothness; they give way by less than a thousandth of a cm
    matrix = (laplacian.T @ laplacian + hold * chosen.T @ chosen).tocsc()
    return spsolve(matrix, (hold * chosen.T @ offsets))


def _adjacency(edges: Int[np.ndarray, "E 2"], size: int) -> csr_matrix:
    both = np.concatenate([edges, edges[:, ::-1]])
    matrix = coo_matrix((np.ones(len(both)), both.T), (size, size)).tocsr()
    matrix.data[:] = 1
    return matrix
