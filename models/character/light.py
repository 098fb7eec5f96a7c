"""Light on one picture: soft shadow of the key light, ambient occlusion, shading. Linear colours throughout.

A picture arrives as layers [H, W, 9], rest position, normal and world position of every pixel, and as the number of
the part that each pixel shows (-1 for the background). The world's lights are directions; the camera sits at `eye`.
"""

from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from models.character.compiled import compiled
from models.character.mesh import Floats, Ints
from models.character.paint import BROW, COAT, EYEBALL, HAIR, LASH, RUFF, TEETH, Rgb, bump, material

KEY = (-0.50, 0.58, 0.64)  # towards the warm main light
FILL = (0.80, 0.10, 0.59)  # towards the cool second light
RIMS = ((0.86, 0.36, -0.36), (-0.90, 0.30, -0.32))
KEY_COLOUR, FILL_COLOUR = (2.05, 1.78, 1.46), (0.20, 0.25, 0.34)
RIM_COLOURS = ((0.75, 1.05, 1.35), (1.5, 0.95, 0.55))
SKY, GROUND = (0.27, 0.28, 0.34), (0.20, 0.12, 0.09)
SHADOW_STEP = 0.085  # cm per pixel of the shadow map
SHADOW_SIZE = 560


@compiled
def shadow_at(depths: Floats, u: float, v: float, depth: float) -> float:
    """Share of the key light that arrives: 5 x 5 taps over about half a centimetre, each bilinear."""
    total, weights = 0.0, 0.0
    size = depths.shape[0]
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            w = 1.0 / (1 + 0.3 * (dx * dx + dy * dy))
            fu, fv = u + 2.1 * dx - 0.5, v + 2.1 * dy - 0.5
            i, j = int(fv), int(fu)
            if i < 0 or j < 0 or i >= size - 1 or j >= size - 1:
                total += w
                weights += w
                continue
            a, b = fv - i, fu - j
            lit = (1 - a) * ((1 - b) * (depth < depths[i, j, 0]) + b * (depth < depths[i, j + 1, 0]))
            lit += a * ((1 - b) * (depth < depths[i + 1, j, 0]) + b * (depth < depths[i + 1, j + 1, 0]))
            total += w * lit
            weights += w
    return total / weights


@compiled
def occlusion(position: Floats, layers: Floats, part: Ints, scale: float) -> Floats:
    """Openness 0..1 of every pixel (Alchemy ambient occlusion, McGuire et al. 2011); `scale` px per cm."""
    height, width = part.shape
    raw = np.ones((height, width), np.float32)
    taps = 12
    # Sixteen spirals, one for each pixel of a 4 x 4 block: the blur below averages over all of them.
    across, down, gain = np.empty((16, taps), np.int32), np.empty((16, taps), np.int32), np.empty((16, taps))
    for n in range(16):
        for k in range(taps):
            t = (k + 0.5 + (n * 7 & 3) * 0.2) / taps
            angle = n * 5.0 * 0.3927 + k * 2.39996
            down[n, k] = round((0.06 + 2.6 * t * t) * scale * np.sin(angle))
            across[n, k] = round((0.06 + 2.6 * t * t) * scale * np.cos(angle))
            gain[n, k] = 0.35 + 2.1 * t
    for row in range(height):
        for column in range(width):
            if part[row, column] < 0:
                continue
            n = (row & 3) * 4 + (column & 3)
            px, py, pz = position[row, column, 0], position[row, column, 1], position[row, column, 2]
            nx, ny, nz = layers[row, column, 3], layers[row, column, 4], layers[row, column, 5]
            total = 0.0
            for k in range(taps):
                i, j = row + down[n, k], column + across[n, k]
                if i < 0 or j < 0 or i >= height or j >= width or part[i, j] < 0:
                    continue
                vx, vy, vz = position[i, j, 0] - px, position[i, j, 1] - py, position[i, j, 2] - pz
                vv = vx * vx + vy * vy + vz * vz
                if vv > 16.0:
                    continue
                rise = vx * nx + vy * ny + vz * nz - 0.03 - 0.02 * sqrt(vv)
                total += max(rise, 0.0) / (vv + 0.02) * gain[n, k]
            raw[row, column] = max(1.0 - 0.72 * total / taps, 0.0)
    out = np.ones((height, width), np.float32)
    for row in range(2, height - 2):
        for column in range(2, width - 2):
            if part[row, column] < 0:
                continue
            total, weights = 0.0, 0.0
            for i in range(row - 2, row + 2):
                for j in range(column - 2, column + 2):
                    near = abs(position[i, j, 2] - position[row, column, 2]) < 0.6 and part[i, j] >= 0
                    w = 1.0 if near else 0.0
                    total += w * raw[i, j]
                    weights += w
            out[row, column] = total / weights
    return out


@compiled
def _glint(
    nx: float, ny: float, nz: float, light: tuple[float, float, float], vx: float, vy: float, vz: float, rough: float
) -> float:
    """Specular lobe (Blinn-Phong with the width of GGX's roughness) times the light's cosine, with Fresnel."""
    hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
    n = sqrt(hx * hx + hy * hy + hz * hz) + 1e-6
    nh = max((nx * hx + ny * hy + nz * hz) / n, 0.0)
    vh = max((vx * hx + vy * hy + vz * hz) / n, 0.0)
    nl = nx * light[0] + ny * light[1] + nz * light[2]
    if nl <= 0:
        return 0.0
    a2 = rough**4
    d = a2 / (3.1416 * ((nh * nh) * (a2 - 1) + 1) ** 2)
    return d * (0.04 + 0.96 * (1 - vh) ** 5) * nl * 0.8 / max(0.25, 1.0 - 0.5 * rough)


@compiled
def _relief(kind: int, x: float, y: float, z: float, nx: float, ny: float, nz: float) -> tuple[float, float, float]:
    """Unit normal, tilted by the material's fine relief at a rest position."""
    b = bump(kind, x, y, z)
    if b > 0:
        e = 0.03
        nx -= (bump(kind, x + e, y, z) - b) / e * 0.7
        ny -= (bump(kind, x, y + e, z) - b) / e * 0.7
        nz -= (bump(kind, x, y, z + e) - b) / e * 0.7
    n = 1.0 / sqrt(nx * nx + ny * ny + nz * nz)
    return nx * n, ny * n, nz * n


@compiled
def _key_arrives(
    depths: Floats, m: NDArray[np.float64], px: float, py: float, pz: float, nx: float, ny: float, nz: float
) -> float:
    """Share of the key light at a point of the world, looked up a little off the surface."""
    px, py, pz = px + 0.16 * nx, py + 0.16 * ny, pz + 0.16 * nz
    u = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
    v = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
    d = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
    return shadow_at(depths, u, v, d - 0.12)


@compiled
def _diffuse(nx: float, ny: float, nz: float, lit: float, ao: float, soft: float) -> Rgb:
    """Light that a matt surface receives. It wraps round translucent matter, red furthest."""
    key = nx * KEY[0] + ny * KEY[1] + nz * KEY[2]
    fill = max((nx * FILL[0] + ny * FILL[1] + nz * FILL[2] + 0.35) / 1.35, 0.0)
    rim0 = max(nx * RIMS[0][0] + ny * RIMS[0][1] + nz * RIMS[0][2], 0.0) * 0.30 * ao * ao
    rim1 = max(nx * RIMS[1][0] + ny * RIMS[1][1] + nz * RIMS[1][2], 0.0) * 0.30 * ao * ao
    r, g, b = 0.0, 0.0, 0.0
    for c in range(3):
        wrap = soft * (0.30, 0.10, 0.05)[c]
        around = max((key + wrap) / (1 + wrap), 0.0)
        through = lit ** (1.0 - soft * (0.45, 0.15, 0.0)[c])
        bounce = ao + soft * (0.16, 0.03, 0.0)[c] * (1 - ao)
        light = KEY_COLOUR[c] * around * through * (0.45 + 0.55 * ao) + FILL_COLOUR[c] * fill * bounce
        light += (GROUND[c] + (SKY[c] - GROUND[c]) * (0.5 + 0.5 * ny)) * bounce * ao
        light += RIM_COLOURS[0][c] * rim0 + RIM_COLOURS[1][c] * rim1
        r, g, b = g, b, light
    return r, g, b


@compiled
def _glints(
    kind: int,
    colour: Rgb,
    rough: float,
    gloss: float,
    metal: float,
    lit: float,
    ao: float,
    nx: float,
    ny: float,
    nz: float,
    vx: float,
    vy: float,
    vz: float,
) -> Rgb:
    """Light that the surface mirrors towards the camera."""
    nv = nx * vx + ny * vy + nz * vz
    g = _glint(nx, ny, nz, KEY, vx, vy, vz, rough) * lit * 2.3
    h = _glint(nx, ny, nz, FILL, vx, vy, vz, rough) * 0.5
    if kind == EYEBALL:
        g, h = _windows(nx, ny, nz, vx, vy, vz, lit)
    tint = (1.0, 1.0, 1.0)
    if metal > 0:
        rx, ry = 2 * nv * nx - vx, 2 * nv * ny - vy
        sky = 0.18 + 0.75 * max(ry, 0.0) ** 1.5 + 0.45 * max(-rx - 0.2, 0.0)
        g, h = 4.0 * g + sky * ao, 3.0 * h
        tint = (colour[0] * 1.25, colour[1] * 1.15, colour[2])
    elif kind in (HAIR, BROW):
        tint = (1.0, 0.75, 0.55)
    edge = (1.0 - max(nv, 0.15)) ** 3 * 0.75 * ao * ao * (0.25 if kind in (COAT, RUFF, HAIR) else 0.6)
    if kind == LASH:
        edge *= 0.2
    rim0 = max(nx * RIMS[0][0] + ny * RIMS[0][1] + nz * RIMS[0][2], 0.0) * edge
    rim1 = max(nx * RIMS[1][0] + ny * RIMS[1][1] + nz * RIMS[1][2], 0.0) * edge
    r, gr, b = 0.0, 0.0, 0.0
    for c in range(3):
        shine = gloss * tint[c] * ao * (g * KEY_COLOUR[c] * 0.42 + h * FILL_COLOUR[c] * 1.6)
        r, gr, b = gr, b, shine + RIM_COLOURS[0][c] * rim0 + RIM_COLOURS[1][c] * rim1
    return r, gr, b


@compiled
def shade(
    layers: Floats,
    part: Ints,
    openness: Floats,
    depths: Floats,
    to_light: NDArray[np.float64],
    eye: NDArray[np.float64],
    diffuse: Floats,
    albedo: Floats,
    glints: Floats,
    skin: Floats,
) -> None:
    """Fill diffuse light, albedo, glints [H, W, 3] and the translucency mask [H, W]."""
    height, width = part.shape
    diffuse[:], albedo[:], glints[:], skin[:] = 0.0, 0.0, 0.0, 0.0
    for row in range(height):
        for column in range(width):
            kind = part[row, column]
            if kind < 0:
                continue
            x, y, z = layers[row, column, 0], layers[row, column, 1], layers[row, column, 2]
            nx, ny, nz = layers[row, column, 3], layers[row, column, 4], layers[row, column, 5]
            px, py, pz = layers[row, column, 6], layers[row, column, 7], layers[row, column, 8]
            colour, rough, gloss, soft, metal = material(kind, x, y, z)
            nx, ny, nz = _relief(kind, x, y, z, nx, ny, nz)
            vx, vy, vz = eye[0] - px, eye[1] - py, eye[2] - pz
            n = 1.0 / sqrt(vx * vx + vy * vy + vz * vz)
            vx, vy, vz = vx * n, vy * n, vz * n
            ao = openness[row, column]
            if kind == TEETH:
                ao = 0.35 + 0.65 * ao
            lit = 0.0
            if nx * KEY[0] + ny * KEY[1] + nz * KEY[2] > -0.3:
                lit = _key_arrives(depths, to_light, px, py, pz, nx, ny, nz)
            received = _diffuse(nx, ny, nz, lit, ao, soft)
            mirrored = _glints(kind, colour, rough, gloss, metal, lit, ao, nx, ny, nz, vx, vy, vz)
            for c in range(3):
                diffuse[row, column, c] = received[c]
                albedo[row, column, c] = colour[c] * (1.0 - 0.75 * metal)
                glints[row, column, c] = mirrored[c]
            if soft > 0.7:
                skin[row, column] = soft


@compiled
def _windows(nx: float, ny: float, nz: float, vx: float, vy: float, vz: float, lit: float) -> tuple[float, float]:
    """What the wet eye mirrors: a soft square lamp up on the left and a small one down on the right."""
    nv = nx * vx + ny * vy + nz * vz
    rx, ry = 2 * nv * nx - vx, 2 * nv * ny - vy
    a, b = (rx + 0.38) / 0.24, (ry - 0.42) / 0.25
    key = exp(-((a * a) ** 3) - ((b * b) ** 3))
    a, b = (rx - 0.42) / 0.16, (ry + 0.30) / 0.14
    return 2.2 * key * (0.6 + 0.4 * lit), 0.9 * exp(-(a * a + b * b))
