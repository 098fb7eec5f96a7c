"""All parts of the character as one mesh in its rest pose."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from models.character import costume, sculpt
from models.character.compiled import compiled
from models.character.mesh import Floats, Ints, Mesh, axis, sheet, surface, two_sided


class Part(IntEnum):
    """What a triangle belongs to; paint.py colours by it."""

    SKIN = 0
    BROW = 1
    LID = 2
    EYE = 3
    TEETH = 4
    GUM = 5
    TONGUE = 6
    HAIR = 7
    CAP = 8
    BELL = 9
    RUFF = 10
    COAT = 11
    BUTTON = 12
    LASH = 13


@dataclass(frozen=True)
class Body:
    """rest float32[V, 3] cm; triangles int32[F, 3]; part int32[F]; slices: vertices of every part by name.

    The eyelids' rest position is not a place but (column -1..1, cm from the margin, which lid): rig.py lays them out.
    """

    rest: Floats
    triangles: Ints
    part: Ints
    slices: dict[str, slice]


LID_COLUMNS, LID_ROWS = 49, 16


@compiled
def _tongue(x: float, y: float, z: float) -> float:
    y += 8.05 - 0.05 * x * x + 0.03 * (z - 1.0) ** 2
    return sculpt.ellipsoid(x, y, z - 0.9, 1.75, 0.72, 2.5) + 0.10 * np.exp(-((x / 0.28) ** 2)) * (y > 0.0)


def _eye(side: float) -> Mesh:
    theta = np.radians(np.r_[0.0, np.linspace(1.0, 100.0, 42)])
    phi = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    points = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1)
    x, y, z = sculpt.EYE
    return sheet(sculpt.EYE_RADIUS * points + (side * x, y, z), closed=True)


def _lid(lid: int, rows: int) -> Mesh:
    """Parameter grid of one eyelid; lid 0, 1: upper and lower on the screen's left, 2, 3 on the right."""
    u, s = np.meshgrid(np.linspace(-1, 1, LID_COLUMNS), np.arange(rows, dtype=float), indexing="ij")
    return two_sided(sheet(np.stack([u, s, np.full_like(u, lid)], -1)))


def _ruff() -> Mesh:
    """Two tiers of a pleated collar; the pleats meet the neck and flare outwards."""
    meshes = []
    for tier in range(2):
        turn, t = np.meshgrid(np.linspace(0, 2 * np.pi, 560, endpoint=False), np.linspace(0, 1, 15), indexing="ij")
        wave = np.sin(27 * turn + 1.6 * tier + 0.35 * np.sin(5 * turn))
        radius = 4.0 + (4.6 + 0.7 * tier) * t + 0.22 * t * np.cos(27 * turn + 1.6 * tier) + 0.1 * np.sin(3 * turn)
        lift = -12.7 - 1.25 * tier - 0.55 * t - 1.3 * t**2 + (0.12 + 0.78 * t**0.8) * wave
        z = radius * np.cos(turn)
        points = np.stack([radius * np.sin(turn), lift - 0.13 * z, z - 4.6], -1)
        meshes.append(two_sided(sheet(points[::-1], closed=False)))
        seam = np.stack([points[-1], points[0]])
        meshes.append(two_sided(sheet(seam[::-1])))
    return join(meshes)


def join(meshes: list[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0] + [len(v) for v, _ in meshes])
    triangles = [t + np.int32(start) for (_, t), start in zip(meshes, starts[:-1], strict=True)]
    return np.concatenate([v for v, _ in meshes]), np.concatenate(triangles).astype(np.int32)


def build(detail: float = 1.0) -> Body:
    """Cut the character from its fields; `detail` scales the grids (0.5: half as fine, for tests)."""
    d = 1.0 / detail
    head = surface(
        sculpt.head,
        axis(-9.5, 9.5, 0.24 * d, (0.0, 2.6, 0.08 * d), (3.15, 1.7, 0.09 * d), (-3.15, 1.7, 0.09 * d)),
        axis(-17.0, 9.5, 0.26 * d, (-6.4, 1.2, 0.07 * d), (0.0, 1.2, 0.08 * d)),
        axis(-7.0, 7.2, 0.24 * d, (4.5, 1.2, 0.09 * d)),
    )
    brows = surface(sculpt.brows, axis(-6.5, 6.5, 0.11 * d), axis(0.8, 4.2, 0.1 * d), axis(0.0, 6.0, 0.12 * d))
    rows = [
        surface(row, axis(-3.0, 3.0, 0.06 * d), axis(-8.2, -5.4, 0.06 * d), axis(0.5, 4.4, 0.08 * d))
        for row in (sculpt.upper_teeth, sculpt.lower_teeth)
    ]
    gums = surface(sculpt.gums, axis(-3.6, 3.6, 0.14 * d), axis(-9.0, -4.4, 0.12 * d), axis(0.0, 4.6, 0.12 * d))
    tongue = surface(_tongue, axis(-2.0, 2.0, 0.11 * d), axis(-9.0, -6.3, 0.11 * d), axis(-2.0, 4.0, 0.14 * d))
    hair = surface(costume.hair, axis(-10.5, 10.5, 0.15 * d), axis(-9.0, 8.0, 0.17 * d), axis(-6.5, 6.5, 0.15 * d))
    cap = surface(costume.cap, axis(-15.5, 15.5, 0.19 * d), axis(-1.0, 17.5, 0.19 * d), axis(-8.5, 8.0, 0.19 * d))
    bells = surface(
        costume.bell,
        axis(-15.0, 15.0, 0.3 * d, (-13.0, 1.3, 0.1 * d), (13.0, 1.3, 0.1 * d)),
        axis(4.0, 8.0, 0.1 * d),
        axis(-2.5, 1.0, 0.1 * d),
    )
    coat = surface(costume.coat, axis(-21.0, 21.0, 0.3 * d), axis(-26.0, -11.0, 0.25 * d), axis(-9.0, 6.5, 0.3 * d))
    buttons = surface(
        costume.buttons, axis(-2.5, 1.0, 0.12 * d), axis(-26.0, -19.0, 0.12 * d), axis(0.0, 6.0, 0.12 * d)
    )
    parts: list[tuple[str, Part, Mesh]] = [
        ("head", Part.SKIN, head),
        ("brows", Part.BROW, brows),
        ("upper_teeth", Part.TEETH, rows[0]),
        ("lower_teeth", Part.TEETH, rows[1]),
        ("gums", Part.GUM, gums),
        ("tongue", Part.TONGUE, tongue),
        ("hair", Part.HAIR, hair),
        ("cap", Part.CAP, cap),
        ("bells", Part.BELL, bells),
        ("coat", Part.COAT, coat),
        ("buttons", Part.BUTTON, buttons),
        ("ruff", Part.RUFF, _ruff()),
        ("eye0", Part.EYE, _eye(-1.0)),
        ("eye1", Part.EYE, _eye(1.0)),
    ]
    parts += [(f"lid{lid}", Part.LID, _lid(lid, LID_ROWS)) for lid in range(4)]
    parts += [(f"lash{lid}", Part.LASH, _lid(lid, 4)) for lid in range(4)]
    rest, triangles = join([mesh for _, _, mesh in parts])
    ends = np.cumsum([0] + [len(mesh[0]) for _, _, mesh in parts])
    slices = {name: slice(int(a), int(b)) for (name, _, _), a, b in zip(parts, ends[:-1], ends[1:], strict=True)}
    part = np.concatenate([np.full(len(mesh[1]), kind, np.int32) for _, kind, mesh in parts])
    return Body(np.ascontiguousarray(rest, np.float32), triangles, part, slices)
