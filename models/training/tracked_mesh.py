"""A smooth surface over the tracker's points: our own triangles, a layer behind the lips, a throat, one subdivision.

The triangles come from the points alone: half of the mean face with its mouth open is unwrapped by stereographic
projection and triangulated (Delaunay), the mouth's opening is cut out along the inner lips, and the half is mirrored.
All vertices depend linearly on the tracker's 468 surface points, so one matrix carries mean and motion to the mesh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import Delaunay

SURFACE = 468
"""Tracker points on the surface; the ten iris points after them are not part of it."""
NOSE_BASE = 2
# Loops of tracker points, from the person's right corner over the top; what they mean is the tracker's numbering.
LIP_RINGS = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
OUTER_LIPS, INNER_LIPS = LIP_RINGS[0], LIP_RINGS[-1]
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
OUTLINE = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148,
    152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)  # fmt: skip
JAW = OUTLINE[10:27]
CENTRE = np.array([0.0, -4.0, -9.0])
"""Where the unwrapping looks from: inside the head, so far back that nose and lips do not fold over. Head frame, cm."""

Points = Float[np.ndarray, "N 3"]
Triangles = Int[np.ndarray, "F 3"]


@dataclass(frozen=True)
class Surface:
    """Vertices = weights @ points + offset, with the 468 points in the head frame, cm."""

    weights: Float[np.ndarray, "V 468"]
    offset: Float[np.ndarray, "V 3"]
    edges: Int[np.ndarray, "E 2"]
    """Which points are neighbours."""
    triangles: Triangles
    uv: Float[np.ndarray, "V 2"]
    regions: dict[str, Int[np.ndarray, "_"]]


@dataclass(frozen=True)
class Part:
    """A piece of the mesh before subdivision; its vertices are numbered on from those of the pieces before it."""

    weights: Float[np.ndarray, "P 468"]
    offset: Float[np.ndarray, "P 3"]
    plane: Float[np.ndarray, "P 2"]
    """Place in the unwrapped surface."""
    triangles: Triangles


def build_surface(
    closed: Float[np.ndarray, "468 3"], opened: Float[np.ndarray, "468 3"], mirror: Int[np.ndarray, "468"]
) -> Surface:
    """Mesh for a symmetric mean face, given with the mouth closed and open; `mirror` swaps left and right points."""
    plane = unwrap(opened)
    face = Part(np.eye(SURFACE), np.zeros((SURFACE, 3)), plane, triangulate(opened, mirror))
    below = throat(closed, plane, SURFACE)
    behind = mouth_layer(SURFACE + len(below.weights))
    parts = (face, below, behind)
    coarse = np.concatenate([part.triangles for part in parts])
    triangles, refine, parents = subdivide(coarse)
    # Loop's rule pulls vertices off the points; control points that make up for it keep the surface on them.
    smooth = refine @ np.linalg.inv(refine[: refine.shape[1]])
    weights = smooth @ np.concatenate([part.weights for part in parts])
    offset = smooth @ np.concatenate([part.offset for part in parts])
    uv = atlas(np.concatenate([part.plane for part in parts])[parents].mean(1))
    edges = parents[(parents < SURFACE).all(1) & (parents[:, 0] != parents[:, 1])]
    named = regions(weights @ closed + offset, plane, parents, SURFACE + len(below.weights))
    return Surface(weights, offset, edges, triangles, uv, named)


def unwrap(points: Points) -> Float[np.ndarray, "N 2"]:
    """Stereographic projection from CENTRE to the plane, x to the person's left, y up."""
    direction = points - CENTRE
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction[:, :2] / (1 + direction[:, 2:])


def triangulate(opened: Float[np.ndarray, "468 3"], mirror: Int[np.ndarray, "468"]) -> Triangles:
    """Triangles over the tracker's points, mirror-symmetric, with a hole along the inner lips.

    The lips are banded ring by ring: Delaunay would tie upper to lower lip in the narrow corners.
    """
    plane = unwrap(opened)
    within = [point for ring in LIP_RINGS[1:] for point in ring]
    half = np.setdiff1d(np.flatnonzero((plane[:, 0] < 0) | (mirror == np.arange(SURFACE))), within)
    triangles = half[Delaunay(plane[half]).simplices]
    for loop in (OUTER_LIPS, OUTLINE):  # the mouth, and slivers between the outline and its convex hull
        triangles = triangles[~np.isin(triangles, loop).all(1)]
    area = signed_area(plane, triangles)
    triangles = np.where(area[:, None] < 0, triangles[:, ::-1], triangles)[np.abs(area) > 1e-9]
    triangles = flip_edges(triangles, plane, opened)
    paths = [np.array(ring[15:] + ring[:6]) for ring in LIP_RINGS]  # the right half, from below round the corner
    lips = [band(outer, inner) for outer, inner in pairwise(paths)]
    triangles = np.concatenate([triangles, *lips])
    return np.concatenate([triangles, mirror[triangles][:, ::-1]])


def flip_edges(triangles: Triangles, plane: Float[np.ndarray, "468 2"], points: Points) -> Triangles:
    """Delaunay on the surface itself: flip every edge whose two opposite angles, in space, sum to more than pi.

    The unwrapping squeezes what lies edge-on, such as the nostrils, so that its own Delaunay picks slivers there.
    """
    faces = [tuple(triangle) for triangle in triangles.tolist()]
    owner = {(face[k], face[k - 2]): number for number, face in enumerate(faces) for k in range(3)}
    queue = list(owner)
    while queue:
        a, b = edge = queue.pop()
        if edge not in owner or (b, a) not in owner:
            continue
        one, two = owner[a, b], owner[b, a]
        (c,), (d,) = set(faces[one]) - {a, b}, set(faces[two]) - {a, b}
        new = np.array([(c, d, b), (d, c, a)])
        if angle(points, a, c, b) + angle(points, a, d, b) < np.pi + 1e-6 or signed_area(plane, new).min() <= 1e-7:
            continue
        for key in (edge, (b, a)):
            del owner[key]
        for number, face in zip((one, two), new.tolist(), strict=True):
            faces[number] = tuple(face)
            sides = [(face[k], face[k - 2]) for k in range(3)]
            owner |= dict.fromkeys(sides, number)
            queue += sides
    return np.array(faces)


def angle(points: Points, a: int, tip: int, b: int) -> float:
    """The angle at `tip` between a and b."""
    first, second = points[a] - points[tip], points[b] - points[tip]
    return float(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))


def signed_area(plane: Float[np.ndarray, "N 2"], triangles: Triangles) -> Float[np.ndarray, "F"]:
    """Twice the area, positive when counter-clockwise."""
    a, b, c = plane[triangles].transpose(1, 0, 2)
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def throat(closed: Float[np.ndarray, "468 3"], plane: Float[np.ndarray, "468 2"], first: int) -> Part:
    """Two rows of vertices from the jaw down and back to the throat, which follow the jaw less and less.

    They are a guess, not measured; they show the renderer where the chin ends and that it moves.
    """
    jaw = np.array(JAW)
    front = np.sin(np.linspace(0, np.pi, len(jaw)))[:, None]  # 0 below the ears, 1 at the chin
    inwards = closed[jaw] * [-1, 0, 0]
    steps = (
        0.10 * inwards + (1 - front) * [0, -1.0, 0] + front * [0, -0.5, -1.4],
        0.22 * inwards + (1 - front) * [0, -2.4, 0.2] + front * [0, -1.9, -2.6],
    )
    follow = (0.75, 0.35)
    rows = np.array([jaw, first + np.arange(len(jaw)), first + len(jaw) + np.arange(len(jaw))])
    return Part(
        weights=np.concatenate([share * np.eye(SURFACE)[jaw] for share in follow]),
        offset=np.concatenate([(1 - share) * closed[jaw] + step for share, step in zip(follow, steps, strict=True)]),
        plane=np.concatenate([plane[jaw] * grow for grow in (1.06, 1.12)]),
        triangles=np.concatenate([band(rows[0], rows[1]), band(rows[1], rows[2])]),
    )


def mouth_layer(first: int) -> Part:
    """A patch behind the lips: its border follows the inner lips, widened so that the lips hide it.

    With the lips closed nothing of it shows; what shows of it is the mouth's opening.
    """
    upper, lower = np.array(INNER_LIPS[:11]), np.array([*INNER_LIPS[:1], *INNER_LIPS[:9:-1]])
    along = np.linspace(-1, 1, len(upper))[:, None]  # -1 and 1 at the corners of the mouth
    middle = np.sqrt(1 - along**2)
    count, within = len(upper), slice(1, -1)  # all rows end in the corners, which belong to the first
    rows = [first + np.arange(count)]
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for share, lift, depth in ((0, 0.15, 0.1), (0.1, 0.3, 0.8), (0.5, 0, 1.0), (0.9, -0.3, 0.8), (1, -0.15, 0.1)):
        weights = (1 - share) * np.eye(SURFACE)[upper] + share * np.eye(SURFACE)[lower]
        offset = along**5 * [0.2, 0, -0.1] + middle * [0, lift, -depth]
        place = along * [0.15, 0] + middle * [0, 0.05 - 0.1 * share] + [0, -0.5]
        parts.append((weights, offset, place) if not parts else (weights[within], offset[within], place[within]))
    for row in range(1, len(parts)):
        start = first + count + (row - 1) * (count - 2)
        rows.append(np.r_[rows[0][0], start + np.arange(count - 2), rows[0][-1]])
    weights, offset, place = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Part(weights, offset, place, np.concatenate([band(*pair) for pair in pairwise(rows)]))


def band(upper: Int[np.ndarray, "C"], lower: Int[np.ndarray, "C"]) -> Triangles:
    """Triangles between two rows of vertices that run to the person's left, seen from the front; symmetric."""
    a, b, c, d = upper[:-1], upper[1:], lower[:-1], lower[1:]
    falling, rising = np.stack([a, c, d, a, d, b], 1), np.stack([a, c, b, b, c, d], 1)
    half = np.arange(len(a)) < len(a) // 2
    triangles = np.where(half[:, None], rising, falling).reshape(-1, 3)
    sides = np.sort(triangles, 1)
    return triangles[(sides[:, 1:] != sides[:, :-1]).all(1)]  # rows that meet in a corner leave empty triangles


def subdivide(
    triangles: Triangles,
) -> tuple[Int[np.ndarray, "S 3"], Float[np.ndarray, "V B"], Int[np.ndarray, "V 2"]]:
    """One step of Loop's scheme (1987): finer triangles, the matrix old -> new vertices, and each new one's parents.

    Old vertices keep their numbers (both parents are the vertex itself); edges' midpoints follow.
    """
    count = triangles.max() + 1
    sides = np.concatenate([triangles[:, [0, 1, 2]], triangles[:, [1, 2, 0]], triangles[:, [2, 0, 1]]])
    edges, number = np.unique(np.sort(sides[:, :2], 1), axis=0, return_inverse=True)
    border = np.bincount(number) == 1
    refine = np.zeros((count + len(edges), count))
    middle = count + np.arange(len(edges))
    for end in edges.T:
        refine[middle, end] = np.where(border, 1 / 2, 3 / 8)
    np.add.at(refine, (count + number, sides[:, 2]), np.where(border[number], 0, 1 / 8))

    neighbours = np.zeros((count, count), bool)
    neighbours[edges[:, 0], edges[:, 1]] = neighbours[edges[:, 1], edges[:, 0]] = True
    rim = np.zeros((count, count), bool)
    rim[edges[border, 0], edges[border, 1]] = rim[edges[border, 1], edges[border, 0]] = True
    for vertex in range(count):
        ring = np.flatnonzero(rim[vertex])
        share = 1 / 8
        if not len(ring):
            ring = np.flatnonzero(neighbours[vertex])
            share = 3 / 16 if len(ring) == 3 else 3 / (8 * len(ring))
        refine[vertex, ring] = share
        refine[vertex, vertex] = 1 - share * len(ring)

    ab, bc, ca = (count + number).reshape(3, -1)
    a, b, c = triangles.T
    finer = np.concatenate([np.stack(corner, 1) for corner in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    parents = np.concatenate([np.repeat(np.arange(count)[:, None], 2, 1), edges])
    return finer, refine, parents


def atlas(plane: Float[np.ndarray, "V 2"]) -> Float[np.ndarray, "V 2"]:
    """The unwrapped surface scaled into 0..1, v down."""
    low, high = plane.min(0), plane.max(0)
    return (plane - (low + high) / 2) * [1, -1] / (high - low).max() + 0.5


def regions(
    closed: Float[np.ndarray, "V 3"],
    plane: Float[np.ndarray, "468 2"],
    parents: Int[np.ndarray, "V 2"],
    inner_mouth: int,
) -> dict[str, Int[np.ndarray, "_"]]:
    """Vertex numbers by name; a midpoint belongs to a region when both ends of its edge do."""
    lips = [point for point in range(SURFACE) if inside(plane, OUTER_LIPS, point)]
    left_eye = [int(np.argmin(np.linalg.norm(plane - plane[point] * [-1, 1], axis=1))) for point in RIGHT_EYE]
    eyes = [point for point in range(SURFACE) if inside(plane, RIGHT_EYE, point) or inside(plane, left_eye, point)]
    return {
        "lips": np.flatnonzero(np.isin(parents, lips).all(1)),
        "eyes": np.flatnonzero(np.isin(parents, eyes).all(1)),
        "inner_mouth": np.flatnonzero((parents >= inner_mouth).all(1)),
        "lower_face": np.flatnonzero(closed[:, 1] < closed[NOSE_BASE, 1]),
    }


def inside(plane: Float[np.ndarray, "468 2"], loop: Sequence[int], point: int) -> bool:
    """Whether a point lies within a closed contour or on it."""
    contour = plane[list(loop)].astype(np.float32)
    return point in loop or cv2.pointPolygonTest(contour, plane[point].tolist(), False) > 0
