"""The mesh that moves a photo: the lower face, a skirt that ties it to what stands still, and a mouth to look into.

Nothing is known of the person's teeth. Two arches of usual size stand behind the lips, the upper one fixed to the head,
the lower one to the jaw, before a dark cavity; so teeth keep their place and shape whatever the lips do.

Letters: P vertices of a piece, K expression coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int, Int32
from numpy.typing import NDArray

from models.camera import rotation_matrix
from models.face_model import FaceModel, Vertices

NOSE_BASE = 2
INNER_LIPS = (13, 14)
BELOW_LIPS = (18, 83, 313)
"""Tracker points in the furrow above the chin, which move as the lower teeth do; the chin's own slide over the bone."""
ABOVE_NOSE_CM = 3.0
"""How far above the nose's base the mesh reaches: over everything that is drawn anew."""
SKIRT_CM, SKIRT_BACK_CM = 2.0, 0.6
"""How far the skirt goes outwards, and backwards."""
HALF_ARCH_CM, TOOTH_CM, OVERBITE_CM = 2.6, 0.95, 0.25
"""Of a row of teeth: half its width, its height, and how far the upper edge hangs below the line of closed lips."""
EDGES_APART_CM = 0.05
BEHIND_LIPS_CM, ARCH, UNDERBITE_CM = 0.4, 0.27, 0.15
"""The upper teeth behind the lips; how they curve backwards (cm per cm²); the lower teeth behind the upper."""
CAVITY_CM = 5.5
"""Its back behind the lips."""
COLUMNS, ROWS = 25, 5

Motion = Float32[NDArray[np.float32], "K P 3"]
Triangles = Int32[NDArray[np.int32], "_ 3"]


@dataclass(frozen=True)
class Piece:
    """A part of the mesh, its vertices numbered from 0."""

    vertices: Vertices
    """Neutral, head frame, cm."""
    motion: Motion
    """By one unit of each expression coefficient."""
    triangles: Triangles


def photo_mesh(
    face: FaceModel, seen: Float32[NDArray[np.float32], "K"], rotation: Float32[NDArray[np.float32], "3"]
) -> FaceModel:
    """The model that moves a photo, in axes of its own: those of the camera, so that rotation 0 is the photo's.

    Seen from the front it is then what the photo shows: nothing of its skin is hidden there. Regions besides the usual
    ones: "teeth" and "cavity", together "inner_mouth".

    Args:
        face: the person's, its neutral shape with the lips closed; of the source `tracked`.
        seen: the expression that the photo shows. What is beyond the skirt keeps its place as it is there.
        rotation: head to camera in the photo.
    """
    vertex = dict(face.landmarks.tolist())
    top = face.mean[vertex[NOSE_BASE], 1] + ABOVE_NOSE_CM
    skin = np.setdiff1d(np.flatnonzero(face.mean[:, 1] < top), face.regions["inner_mouth"])
    number = np.full(len(face.mean), -1, np.int32)
    number[skin] = np.arange(len(skin))
    triangles = number[face.triangles]
    triangles = triangles[(triangles >= 0).all(axis=1)]
    own = Piece(face.mean[skin], face.expression[:, skin], triangles)
    rim = outline(face, number)
    mouth = mouth_pieces(face, vertex)
    pieces = [own, skirt(own, rim, seen), *mouth]
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    teeth, cavity = np.arange(starts[2], starts[4], dtype=np.int32), np.arange(starts[4], starts[5], dtype=np.int32)
    kept = {name: number[ids][number[ids] >= 0] for name, ids in face.regions.items()}
    landmarks = face.landmarks[number[face.landmarks[:, 1]] >= 0]
    turn = rotation_matrix(rotation).T
    mean = np.concatenate([piece.vertices for piece in pieces]) @ turn
    return replace(
        face,
        mean=mean,
        identity=np.zeros((0, len(mean), 3), np.float32),
        expression=np.concatenate([piece.motion for piece in pieces], axis=1) @ turn,
        triangles=np.concatenate([p.triangles + start for p, start in zip(pieces, starts[:-1], strict=True)]).astype(
            np.int32
        ),
        uv=front_view(mean),
        regions=kept | {"inner_mouth": np.concatenate([teeth, cavity]), "teeth": teeth, "cavity": cavity},
        landmarks=np.column_stack([landmarks[:, 0], number[landmarks[:, 1]]]).astype(np.int32),
    )


def front_view(mean: Vertices) -> Float32[NDArray[np.float32], "V 2"]:
    """Place seen from the front, 0..1, v down."""
    low, high = mean[:, :2].min(axis=0), mean[:, :2].max(axis=0)
    return np.asarray((mean[:, :2] - low) / (high - low) * [1, -1] + [0, 1], np.float32)


def outline(face: FaceModel, number: Int[np.ndarray, "V"]) -> Int[np.ndarray, "E 2"]:
    """Edges of the face's border, lips excepted, that the mesh keeps: in the order of their triangle, as numbered."""
    t = face.triangles
    edges = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    known = {(a, b) for a, b in edges.tolist()}
    hidden = {*face.regions["lips"].tolist(), *face.regions["inner_mouth"].tolist()}
    border = [(a, b) for a, b in edges.tolist() if (b, a) not in known and not {a, b} & hidden]
    kept = number[np.array(border)]
    return kept[(kept >= 0).all(axis=1)]


def skirt(own: Piece, rim: Int[np.ndarray, "E 2"], seen: Float32[NDArray[np.float32], "K"]) -> Piece:
    """A band around the mesh whose outer edge never moves."""
    inner, place = np.unique(rim, return_inverse=True)
    count = len(inner)
    here = own.vertices[inner] + np.tensordot(seen, own.motion[:, inner], 1)
    away = here[:, :2] - own.vertices[:, :2].mean(axis=0)
    away *= SKIRT_CM / np.linalg.norm(away, axis=1, keepdims=True)
    outer = here + np.column_stack([away, np.full(count, -SKIRT_BACK_CM)])
    a, b = place.reshape(-1, 2).T
    return Piece(
        np.concatenate([own.vertices[inner], outer]).astype(np.float32),
        np.concatenate([own.motion[:, inner], np.zeros_like(own.motion[:, inner])], axis=1),
        np.concatenate([np.stack([b, a, a + count], 1), np.stack([b, a + count, b + count], 1)]).astype(np.int32),
    )


def mouth_pieces(face: FaceModel, vertex: dict[int, int]) -> tuple[Piece, Piece, Piece]:
    """Upper teeth, lower teeth, cavity."""
    line = face.mean[[vertex[point] for point in INNER_LIPS]].mean(axis=0)
    jaw = face.expression[:, [vertex[point] for point in BELOW_LIPS]].mean(axis=1)
    x, down = np.meshgrid(np.linspace(-HALF_ARCH_CM, HALF_ARCH_CM, COLUMNS), np.linspace(0, TOOTH_CM, ROWS))
    z = line[2] - BEHIND_LIPS_CM - ARCH * x**2
    edge = line[1] - OVERBITE_CM
    upper = np.stack([line[0] + x, edge + TOOTH_CM - down, z], axis=-1)
    lower = np.stack([line[0] + x, edge - EDGES_APART_CM - down, z - UNDERBITE_CM], axis=-1)
    share = np.repeat(np.linspace(0, 1, ROWS)[:, None], COLUMNS, axis=1)  # how much of the jaw's motion, top to bottom
    back = np.stack(
        [line[0] + x * (1.4 - 0.8 * share), line[1] + 1.2 - 3.4 * share, np.full_like(x, line[2] - CAVITY_CM)], axis=-1
    )
    return sheet(upper, 0 * share, jaw), sheet(lower, 0 * share + 1, jaw), sheet(back, share, jaw)


def sheet(places: NDArray[np.floating], share: NDArray[np.floating], jaw: Float32[NDArray[np.float32], "K 3"]) -> Piece:
    """A grid of vertices, rows from above, that follow the jaw by their share."""
    rows, columns = share.shape
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (corner.ravel() for corner in (at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]))
    return Piece(
        places.reshape(-1, 3).astype(np.float32),
        (jaw[:, None] * share.reshape(-1, 1)).astype(np.float32),
        np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)]).astype(np.int32),
    )
