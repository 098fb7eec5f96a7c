"""Shapes and poses to draw."""

import numpy as np


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
