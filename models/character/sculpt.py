"""Signed distance fields (cm, negative inside) from which the character is cut.

Blends are the quadratic smooth minimum; ellipsoids use the usual first-order bound. Distances are near enough to
exact for surface extraction, which is all that they are used for.
"""

from math import cos, exp, sin, sqrt

from models.character.compiled import compiled

EYE = (3.2, 0.05, 2.5)  # centre of the eyeball on the screen's right
EYE_RADIUS = 1.72
LID_HALF_WIDTH = 1.75  # cm, of the opening between the lids
MOUTH_Y, MOUTH_HALF_WIDTH = -6.45, 2.55
REST_GAP_UPPER, REST_GAP_LOWER = 0.26, 0.36  # the mouth is cut slightly open, the rig closes it
TEETH_Y = -6.76  # where the rows meet


@compiled
def union(a: float, b: float, k: float) -> float:
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k * 0.25


@compiled
def cut(a: float, b: float, k: float) -> float:
    """a without b, with an edge rounded by k."""
    return -union(-a, b, k)


@compiled
def ball(x: float, y: float, z: float, r: float) -> float:
    return sqrt(x * x + y * y + z * z) - r


@compiled
def ellipsoid(x: float, y: float, z: float, a: float, b: float, c: float) -> float:
    k0 = sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    k1 = sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
    return k0 * (k0 - 1.0) / max(k1, 1e-6)


@compiled
def cone(
    x: float, y: float, z: float, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float
) -> float:
    """A limb from a to b whose radius changes linearly."""
    dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    t = ((x - a[0]) * dx + (y - a[1]) * dy + (z - a[2]) * dz) / (dx * dx + dy * dy + dz * dz)
    t = min(max(t, 0.0), 1.0)
    return ball(x - a[0] - t * dx, y - a[1] - t * dy, z - a[2] - t * dz, ra + t * (rb - ra))


@compiled
def almond(x: float, y: float, half_width: float, up: float, down: float) -> float:
    """2-D lens between two arcs through (+-half_width, 0)."""
    a2 = half_width * half_width
    ru, rd = (a2 + up * up) / (2 * up), (a2 + down * down) / (2 * down)
    return max(sqrt(x * x + (y - up + ru) ** 2) - ru, sqrt(x * x + (y + down - rd) ** 2) - rd)


@compiled
def mouth_profile(x: float) -> float:
    """1 at the middle of the mouth, 0 at its corners."""
    u = x / MOUTH_HALF_WIDTH
    return max(1.0 - u * u, 0.0)


@compiled
def seam(x: float) -> float:
    """Height of the line between the closed lips: a shallow M whose corners turn up a little."""
    u = abs(x) / MOUTH_HALF_WIDTH
    return MOUTH_Y + 0.10 * exp(-(((u - 0.28) / 0.16) ** 2)) * 0.5 - 0.06 * exp(-((u / 0.16) ** 2)) + 0.24 * u**3


@compiled
def lips(x: float, y: float, z: float) -> float:
    w = MOUTH_HALF_WIDTH
    xc = min(max(x, -w), w)
    u = abs(xc) / w
    p = mouth_profile(xc)
    over = abs(x) - abs(xc)
    bow = 1.0 - 0.16 * exp(-((u / 0.13) ** 2)) + 0.10 * exp(-(((u - 0.27) / 0.16) ** 2))
    ry = 0.06 + 0.33 * p**0.6 * bow
    rz = 0.14 + 0.36 * p**0.6
    zc = 4.78 - 0.19 * xc * xc - 0.012 * xc**4 - 0.3 * (1 - p**0.5)
    yc = seam(xc) + REST_GAP_UPPER * p + ry
    upper = (sqrt(((y - yc) / ry) ** 2 + ((z - zc) / rz) ** 2) - 1.0) * min(ry, rz)
    ry = 0.06 + 0.40 * p**0.45 + 0.04 * exp(-(((u - 0.5) / 0.22) ** 2))
    rz = 0.14 + 0.40 * p**0.6
    yc = seam(xc) - REST_GAP_LOWER * p - ry
    lower = (sqrt(((y - yc) / ry) ** 2 + ((z - zc + 0.06) / rz) ** 2) - 1.0) * min(ry, rz)
    return max(min(upper, lower), over - 0.05)


@compiled
def skull(x: float, y: float, z: float) -> float:
    """Head without features; x is its absolute value."""
    d = ellipsoid(x, y - 4.0, z + 3.9, 7.55, 8.3, 9.1)
    d = union(d, ellipsoid(x, y + 3.2, z + 1.2, 6.1, 7.0, 5.9), 2.2)
    d = union(d, cone(x, y, z, (5.35, -4.5, -2.3), (1.5, -9.35, 1.9), 1.55, 1.45), 2.0)  # jaw
    d = union(d, ellipsoid(x, y + 9.8, z - 3.05, 1.6, 1.4, 1.45), 1.7)  # chin
    d = union(d, ball(x - 3.8, y + 3.35, z - 1.85, 2.35), 1.9)  # cheek
    d = union(d, ball(x - 3.8, y + 5.8, z - 0.5, 1.85), 1.8)  # cheek, below
    d = union(d, ellipsoid(x, y + 6.5, z - 2.2, 3.1, 2.6, 2.55), 1.5)  # muzzle
    d = union(d, cone(x, y, z, (0.6, 1.75, 3.75), (4.6, 1.9, 1.9), 0.95, 0.8), 1.3)  # brow
    return d


@compiled
def nose(x: float, y: float, z: float) -> float:
    d = cone(x, y, z, (0.0, 0.9, 3.9), (0.0, -3.1, 5.5), 0.62, 0.78)
    d = union(d, ball(x, y + 3.35, z - 5.65, 0.98), 0.6)
    d = union(d, ellipsoid(x - 0.98, y + 3.62, z - 4.75, 0.62, 0.58, 0.75), 0.45)
    return cut(d, ellipsoid(x - 0.55, y + 4.32, z - 5.1, 0.26, 0.34, 0.42), 0.18)


@compiled
def ear(x: float, y: float, z: float) -> float:
    x, y, z = x - 7.75, y + 1.0, z + 2.5
    c, s = cos(0.55), sin(0.55)
    x, z = c * x + s * z, -s * x + c * z
    c, s = cos(0.18), sin(0.18)
    y, z = c * y + s * z, -s * y + c * z
    d = ellipsoid(x, y, z, 0.62, 2.1 + 0.25 * y * 0.3, 1.35)
    d = cut(d, ellipsoid(x - 0.65, y - 0.25, z - 0.15, 0.55, 1.45, 0.85), 0.3)
    return union(d, ellipsoid(x - 0.2, y + 0.35, z - 0.95, 0.3, 0.5, 0.4), 0.3)


@compiled
def head(x: float, y: float, z: float) -> float:
    side = x
    x = abs(x)
    d = skull(x, y, z)
    ex, ey, ez = x - EYE[0], y - EYE[1], z - EYE[2]
    d = cut(d, ellipsoid(ex + 0.1, ey - 0.1, ez - 2.3, 2.1, 1.5, 1.25), 1.2)  # orbit
    d = union(d, ball(ex, ey, ez, EYE_RADIUS + 0.2), 0.55)  # lids, before the slit
    d = union(d, nose(x, y, z), 0.85)
    neck = cone(x, y, z, (0.0, -6.0, -4.6), (0.0, -17.0, -5.6), 3.9, 3.9)
    d = union(d, neck, 1.3)
    d = union(d, ear(x, y, z), 0.35)
    # The philtrum, a shallow groove under the nose; the crease under the lower lip comes from the blend.
    d += 0.10 * exp(-((x / 0.33) ** 2) - ((y + 5.05) / 0.55) ** 2) * (z > 3.0)
    slit = almond(ex, ey - 0.08 * ex, LID_HALF_WIDTH, 1.04, 0.82)
    if z > EYE[2] - 0.5:
        d = cut(d, max(slit, EYE[2] - 0.4 - z), 0.16)
    d = max(d, -ball(ex, ey, ez, EYE_RADIUS + 0.01))
    p = mouth_profile(x)
    if z > 0.0 and p > 0.0:
        mid = seam(x)
        gap = max(y - mid - REST_GAP_UPPER * p - 0.3 * p, mid - REST_GAP_LOWER * p - 0.32 * p - y)
        d = cut(d, gap, 0.25)
    d = cut(d, ellipsoid(x, y + 6.7, z - 1.3, 2.75, 2.2, 2.85), 0.3)
    return union(d, lips(side, y, z), 0.26)


@compiled
def brows(x: float, y: float, z: float) -> float:
    d = head(x, y, z)
    x = abs(x)
    t = min(max((x - 1.35) / 3.9, 0.0), 1.0)
    line = 2.0 + 0.75 * sin(t * 2.5) - 0.35 * t
    width = 0.16 + 0.30 * (t * 5.0 if t < 0.2 else 1.0 - 0.95 * (t - 0.2) / 0.8)
    shape = sqrt((x - 1.35 - 3.9 * t) ** 2 + (y - line) ** 2) - width
    if z < 0.0:
        return 1.0
    return -union(-(d - 0.17), -shape, 0.28)


@compiled
def upper_teeth(x: float, y: float, z: float) -> float:
    return _row(x, y, z, 1.0)


@compiled
def lower_teeth(x: float, y: float, z: float) -> float:
    return _row(x, y, z, -1.0)


@compiled
def _row(x: float, y: float, z: float, side: float) -> float:
    """Teeth on one side (1 above, -1 below) of TEETH_Y; each is a rounded block on a parabola."""
    best = 9.0
    ax = abs(x)
    inner = 0.0
    for i in range(6):
        wide = ((0.43, 0.34, 0.36, 0.36, 0.4, 0.45) if side > 0 else (0.29, 0.31, 0.34, 0.36, 0.4, 0.45))[i]
        cx = inner + wide
        inner += 2 * wide * (0.97 if i < 2 else 0.8)
        tall = ((0.52, 0.47, 0.52, 0.42, 0.4, 0.4) if side > 0 else (0.44, 0.44, 0.46, 0.42, 0.4, 0.4))[i]
        front = 3.9 - 0.32 * cx * cx + 0.012 * cx**4 - (0.0 if side > 0 else 0.22)
        slope = -0.6 * cx
        n = sqrt(1 + slope * slope)
        lx, lz = ax - cx, z - front
        tx, tz = (lx + slope * lz) / n, (lz - slope * lx) / n
        cy = TEETH_Y + side * (tall + (0.0 if i != 1 else 0.05)) + (0.0 if side > 0 else -0.03)
        q = 0.15
        bx = abs(tx) - (wide * 0.97 - q - 0.05 * max(0.0, side * (y - cy)) / tall * wide)
        by, bz = abs(y - cy) - (tall - q), abs(tz + 0.12 * side * (y - cy)) - 0.08
        out = sqrt(max(bx, 0.0) ** 2 + max(by, 0.0) ** 2 + max(bz, 0.0) ** 2) + min(max(bx, max(by, bz)), 0.0) - q
        best = union(best, out, 0.05)
    return best


@compiled
def gums(x: float, y: float, z: float) -> float:
    side = 1.0 if y > TEETH_Y else -1.0
    xc = min(abs(x), 2.9)
    front = 3.72 - 0.32 * xc * xc + 0.012 * xc**4 - (0.0 if side > 0 else 0.2)
    scallop = 0.06 * cos(xc * 7.6)
    return (
        sqrt((y - TEETH_Y - side * (1.22 + scallop)) ** 2 * 0.7 + (z - front) ** 2 * 0.6 + (abs(x) - xc) ** 2) - 0.42
    ) * 0.8
