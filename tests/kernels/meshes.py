"""Shapes and poses to draw."""

from pathlib import Path

import numpy as np

from models.face_model import FaceModel


def sphere(faces: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed unit sphere of rings and meridians with about `faces` triangles: vertices float64 [V, 3], triangles."""
    rings = max(round((faces / 4) ** 0.5), 3)
    around = 2 * rings
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.linspace(0, 2 * np.pi, around, endpoint=False)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    vertices = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], axis=-1).reshape(-1, 3)
    vertices = np.concatenate([vertices, [[0, 1, 0], [0, -1, 0]]])
    here = np.arange((rings - 1) * around).reshape(rings - 1, around)
    east = np.roll(here, -1, axis=1)
    pole = np.full(around, len(vertices) - 2)
    triangles = [
        np.stack([here[:-1], here[1:], east[1:]], axis=-1).reshape(-1, 3),
        np.stack([here[:-1], east[1:], east[:-1]], axis=-1).reshape(-1, 3),
        np.stack([pole, here[0], east[0]], axis=-1),
        np.stack([pole + 1, east[-1], here[-1]], axis=-1),
    ]
    return vertices, np.concatenate(triangles).astype(np.int32)


def see(points: np.ndarray, seed: int, height: int, width: int, fill: float = 0.75) -> np.ndarray:
    """A head-sized ellipsoid made of `points`, turned at random at 60 cm: float32 [V, 3] (u px, v px, depth cm)."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)  # a rotation, not a reflection
    x, y, z = ((points * [8, 11, 9]) @ turn.T + [*rng.uniform(-2, 2, 2), -60]).T
    focal = fill * min(height, width) * 60 / 20
    return np.stack([width / 2 - focal * x / z, height / 2 + focal * y / z, -z], axis=1).astype(np.float32)


def closed(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh with its open edges joined to one more point, so that every edge has a triangle on either side."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).tolist()
    there = set(map(tuple, edges))
    rim = np.array([(b, a) for a, b in edges if (b, a) not in there], np.int32).reshape(-1, 2)
    apex = points[rim[:, 0]].mean(axis=0, keepdims=True) if len(rim) else points[:1]
    caps = np.column_stack([rim, np.full(len(rim), len(points), np.int32)])
    return np.concatenate([points, apex]), np.concatenate([triangles, caps]).astype(np.int32)


def ict_head(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The ICT head, closed and of the sphere's size."""
    face = FaceModel.ict(file)
    points, triangles = closed(face.mean.astype(float), face.triangles)
    points = points - points.mean(axis=0)
    return points / np.abs(points).max(), triangles
