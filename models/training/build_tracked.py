"""Compute the bundled face model from tracked clips: python -m models.training.build_tracked PERSON... --out FILE

One argument a person: a clip, or several joined by commas; a saved track (.npz) stands for its clip. Only numbers of
motion averaged over people go into the model, and no picture of anyone.

1. Each frame's points are laid on the person's head by a similarity; what is left is expression.
2. The mean face is the average of the people with their lips closed, made symmetric.
3. The expression basis is a principal component analysis in which each person weighs the same, lips weigh most, and
   everybody also appears mirrored.
4. The identity basis is not learnt: smooth deformations of the surface (eigenvectors of its Laplacian).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.linalg import eigh

from models.errors import InputError
from models.face_model import FaceModel
from models.tracker import Track, track_video
from models.training.heads import GAP, PUPILS_APART, Person, mean_faces, read_person
from models.training.tracked_mesh import INNER_LIPS, LIP_RINGS, NOSE_BASE, OUTER_LIPS, SURFACE, build_surface

COMPONENTS, MODES = 48, 12
LIPS = [point for ring in LIP_RINGS for point in ring]
SHOWN_LIPS = [*OUTER_LIPS, *INNER_LIPS]
LIP_WEIGHT, LOWER_WEIGHT, UPPER_WEIGHT = 5.0, 1.5, 0.3
DEPTH_WEIGHT = 0.4  # the tracker's depth is a guess


def point_weights(closed: Float[np.ndarray, "478 3"]) -> Float[np.ndarray, "468 3"]:
    """How much an error at each point and axis counts (squared error × weight; they sum to 1)."""
    weight = np.where(closed[:SURFACE, 1] < closed[NOSE_BASE, 1], LOWER_WEIGHT, UPPER_WEIGHT)
    weight[LIPS] = LIP_WEIGHT
    weights = weight[:, None] * [1, 1, DEPTH_WEIGHT]
    return weights / weights.sum()


def expression_basis(
    motions: Sequence[Float[np.ndarray, "_ P 3"]],
    partner: Int[np.ndarray, "478"],
    weights: Float[np.ndarray, "468 3"],
) -> tuple[Float[np.ndarray, "K 468 3"], Float[np.ndarray, "K"]]:
    """Principal components of people's motion and their standard deviations.

    Orthonormal in the weighted metric: a coefficient of 1 is a weighted mean displacement (RMS) of 1 cm, and squared
    differences of coefficients add up to the weighted squared difference of the shapes.
    """
    root = np.sqrt(weights).reshape(-1)
    covariance = np.zeros((len(root), len(root)))
    swap = partner[:SURFACE]
    for motion in motions:
        for version in (motion, motion[:, swap] * [-1, 1, 1]):
            flat = version.reshape(len(version), -1) * root
            covariance += flat.T @ flat / (2 * len(flat) * len(motions))
    top = len(root) - 1
    values, vectors = eigh(covariance, subset_by_index=(top - COMPONENTS + 1, top))
    basis = (vectors[:, ::-1].T / root).reshape(COMPONENTS, SURFACE, 3)
    upper, lower = basis[:, GAP[0]], basis[:, GAP[1]]
    sign = np.sign((upper - lower)[:, 1] + upper[:, 0])  # positive opens the mouth or moves it to the person's left
    return basis * sign[:, None, None], np.sqrt(values[::-1])


def identity_basis(face: Float[np.ndarray, "468 3"], edges: Int[np.ndarray, "E 2"]) -> Float[np.ndarray, "I 468 3"]:
    """Smooth deformations with plausible sizes, without those that only move, turn or scale the head."""
    # Neighbours are counted across the lips too: a person's shape does not open the mouth.
    edges = np.concatenate([edges, np.stack([INNER_LIPS[1:10], INNER_LIPS[:10:-1]], 1)])
    adjacent = np.zeros((SURFACE, SURFACE))
    adjacent[edges[:, 0], edges[:, 1]] = adjacent[edges[:, 1], edges[:, 0]] = 1
    laplacian = np.diag(adjacent.sum(1)) - adjacent
    modes = eigh(laplacian, subset_by_index=(0, MODES - 1))[1].T * np.sqrt(SURFACE)
    sizes = 0.35 / (1 + np.arange(MODES)) ** 0.5  # cm, falling with the frequency
    fields = np.einsum("m,mp,xy->mxpy", sizes, modes, np.eye(3)).reshape(-1, SURFACE * 3)
    x, y, z, zero = *face.T, np.zeros(SURFACE)
    turns = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero], [x, y, z]]).transpose(0, 2, 1)
    moves = np.repeat(np.eye(3)[:, None], SURFACE, 1)
    still = np.linalg.qr(np.concatenate([moves, turns]).reshape(7, -1).T)[0]
    fields -= fields @ still @ still.T
    _, values, directions = np.linalg.svd(fields, full_matrices=False)
    keep = len(fields) - 7
    return (values[:keep, None] * directions[:keep]).reshape(keep, SURFACE, 3)


def build(people: Sequence[Person]) -> FaceModel:
    """The bundled model from the motion of several people."""
    closed, opened, partner = mean_faces(people)
    surface = build_surface(closed[:SURFACE], opened[:SURFACE], partner[:SURFACE])
    motions = [person.laid_on(closed).motion for person in people]
    expression, scale = expression_basis(motions, partner, point_weights(closed))
    # Motion fades towards the throat, a person's shape does not.
    shape_weights = surface.weights / surface.weights.sum(1, keepdims=True)
    return FaceModel(
        name="tracked",
        licence="Apache-2.0",
        mean=single(surface.weights @ closed[:SURFACE] + surface.offset),
        identity=single(shape_weights @ identity_basis(closed[:SURFACE], surface.edges)),
        expression=single(surface.weights @ expression),
        expression_names=tuple(f"tracked_{number:02d}" for number in range(COMPONENTS)),
        expression_scale=single(scale),
        triangles=surface.triangles.astype(np.int32),
        uv=single(surface.uv),
        regions={name: ids.astype(np.int32) for name, ids in surface.regions.items()},
        landmarks=np.repeat(np.arange(SURFACE, dtype=np.int32)[:, None], 2, 1),
    )


def single(values: Float[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    return np.ascontiguousarray(values, np.float32)


def kept(people: Sequence[Person], number: int) -> tuple[float, float]:
    """What a basis of the others keeps of one person: lip gap correlation, lip error in % of the pupils' distance."""
    closed, _, partner = mean_faces(people)
    laid = [person.laid_on(closed) for person in people]
    weights = point_weights(closed)
    basis, _ = expression_basis([person.motion for person in laid if person is not laid[number]], partner, weights)
    left_out = laid[number]
    coefficients = np.einsum("npx,kpx->nk", left_out.motion * weights, basis)
    again = np.tensordot(coefficients, basis, 1)
    shapes = [left_out.mean[:SURFACE] + motion for motion in (left_out.motion, again)]
    gaps = [np.linalg.norm(shape[:, GAP[0]] - shape[:, GAP[1]], axis=1) for shape in shapes]
    error = np.linalg.norm((again - left_out.motion)[:, SHOWN_LIPS, :2], axis=-1).mean()
    return float(np.corrcoef(*gaps)[0, 1]), float(100 * error / PUPILS_APART)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m models.training.build_tracked", description=__doc__.split("\n")[0])
    parser.add_argument("people", nargs="+", metavar="PERSON", help="clips or saved tracks, joined by commas")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--check", action="store_true", help="also measure what the basis keeps of people left out")
    options = parser.parse_args(arguments)
    try:
        people = [read_person([read_track(Path(path)) for path in person.split(",")]) for person in options.people]
        build(people).save(options.out)
    except InputError as fault:
        print(fault, file=sys.stderr)
        return 2
    for number, name in enumerate(options.people if options.check else ()):
        correlation, error = kept(people, number)
        print(f"{name}: lip gap r {correlation:.4f}, lip error {error:.2f} %")
    return 0


def read_track(path: Path) -> Track:
    return Track.load(path) if path.suffix == ".npz" else track_video(path)


if __name__ == "__main__":
    sys.exit(main())
