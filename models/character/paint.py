"""What every point of the character is made of: linear colour, roughness, gloss, translucency, bump.

All painting is a function of the rest position, so that it moves with the surface.
"""

from math import atan2, cos, exp, floor, sin, sqrt

from models.character.body import Part
from models.character.compiled import compiled
from models.character.sculpt import EYE, MOUTH_HALF_WIDTH, MOUTH_Y, REST_GAP_LOWER, REST_GAP_UPPER

SKIN, BROW, LID, EYEBALL, TEETH, GUM, TONGUE = (int(p) for p in list(Part)[:7])
HAIR, CAP, BELL, RUFF, COAT, BUTTON, LASH = (int(p) for p in list(Part)[7:])
IRIS = 0.80  # cm, radius on the eyeball

Rgb = tuple[float, float, float]


def _linear(colour: str) -> Rgb:
    """'#rrggbb' (sRGB) as linear light."""
    srgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb)
    return r, g, b


FACE, BLUSH, LIP, INSIDE = _linear("#e8b08c"), _linear("#dd7a62"), _linear("#c2605a"), _linear("#5a1c1c")
FRECKLE, WHITE, VEIN = _linear("#b8744e"), _linear("#f1ece4"), _linear("#d79a8c")
IRIS_RIM, IRIS_DARK, IRIS_LIGHT = _linear("#123a3c"), _linear("#1f7470"), _linear("#7fc9a8")
TOOTH, GUMS, TONGUES = _linear("#f2e8d6"), _linear("#b9605c"), _linear("#c8625f")
STRAND_DARK, STRAND_LIGHT, BROWN = _linear("#5a2513"), _linear("#b4602c"), _linear("#4a2112")
PLUM, TEAL, MUSTARD, CREAM = _linear("#7c1f3e"), _linear("#0f5f63"), _linear("#d99a2b"), _linear("#f0e3cb")
BRASS = _linear("#e2a63c")


@compiled
def _hash(i: int, j: int, k: int) -> float:
    h = (i * 374761393 + j * 668265263 + k * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) / 65535.0


@compiled
def noise(x: float, y: float, z: float) -> float:
    """Value noise in 0..1 with a period of about 1."""
    i, j, k = floor(x), floor(y), floor(z)
    fx, fy, fz = x - i, y - j, z - k
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    total = 0.0
    for c in range(8):
        a, b, d = c & 1, c >> 1 & 1, c >> 2
        weight = (fx if a else 1 - fx) * (fy if b else 1 - fy) * (fz if d else 1 - fz)
        total += weight * _hash(i + a, j + b, k + d)
    return total


@compiled
def mix(a: Rgb, b: Rgb, t: float) -> Rgb:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


@compiled
def step(low: float, high: float, x: float) -> float:
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@compiled
def lip_amount(x: float, y: float, z: float) -> float:
    """1 on the red of the lips, 0 on the skin."""
    u = abs(x) / MOUTH_HALF_WIDTH
    if u > 1.06 or z < 2.2:
        return 0.0
    p = max(1.0 - u * u, 0.0)
    mid = MOUTH_Y + 0.05 * exp(-(((u - 0.28) / 0.16) ** 2)) - 0.06 * exp(-((u / 0.16) ** 2)) + 0.24 * u**3
    if y > mid:
        bow = 1.0 - 0.16 * exp(-((u / 0.13) ** 2)) + 0.10 * exp(-(((u - 0.27) / 0.16) ** 2))
        top = mid + REST_GAP_UPPER * p + 0.09 + 0.56 * p**0.6 * bow
        return 1 - step(-0.06, 0.05, y - top)
    low = mid - REST_GAP_LOWER * p - 0.09 - 0.73 * p**0.45 - 0.07 * exp(-(((u - 0.5) / 0.22) ** 2))
    return 1 - step(-0.07, 0.06, low - y)


@compiled
def freckles(x: float, y: float) -> float:
    """Round spots, one at most in each half-centimetre square."""
    i, j = floor(x * 2.1), floor(y * 2.1)
    if _hash(i, j, 5) < 0.35:
        return 0.0
    cx, cy = i + 0.3 + 0.4 * _hash(i, j, 1), j + 0.3 + 0.4 * _hash(i, j, 2)
    radius = 0.13 + 0.14 * _hash(i, j, 3)
    return 1 - step(0.55 * radius, radius, sqrt((x * 2.1 - cx) ** 2 + (y * 2.1 - cy) ** 2))


@compiled
def skin(x: float, y: float, z: float) -> tuple[Rgb, float, float]:
    """Colour, roughness, gloss."""
    ax = abs(x)
    colour = mix(FACE, BLUSH, 0.70 * exp(-(((ax - 4.0) / 1.7) ** 2) - ((y + 3.3) / 1.5) ** 2) * step(0.0, 2.0, z))
    colour = mix(colour, BLUSH, 0.42 * exp(-((x / 1.1) ** 2) - ((y + 3.5) / 0.9) ** 2) * step(4.0, 5.5, z))
    colour = mix(colour, BLUSH, 0.40 * step(6.6, 8.3, ax) + 0.22 * exp(-((x / 1.6) ** 2) - ((y + 10.6) / 1.2) ** 2))
    colour = mix(colour, BLUSH, 0.18 * exp(-(((ax - 3.1) / 1.9) ** 2) - ((y + 0.2) / 1.5) ** 2))
    mottle = noise(x * 1.3 + 9, y * 1.3, z * 1.3) * 0.6 + noise(x * 4.0, y * 4.0 + 5, z * 4.0) * 0.4
    colour = mix(colour, BLUSH, 0.16 * (mottle - 0.4))
    if 1.0 < ax < 6.2 and -4.8 < y < -0.8:
        colour = mix(colour, FRECKLE, 0.5 * freckles(x, y) * exp(-(((ax - 3.3) / 1.6) ** 2) - ((y + 2.9) / 0.9) ** 2))
    red = lip_amount(x, y, z)
    colour = mix(colour, LIP, 0.92 * red)
    pouch = (x / 2.8) ** 2 + ((y + 6.7) / 2.3) ** 2 + ((z - 1.3) / 2.95) ** 2
    if pouch < 1.3:
        colour = mix(colour, INSIDE, 1 - step(4.05, 4.55, z + 0.19 * x * x))
    nostril = exp(-(((ax - 0.55) / 0.25) ** 2) - ((y + 4.25) / 0.25) ** 2 - ((z - 5.0) / 0.45) ** 2)
    colour = mix(colour, INSIDE, 0.6 * nostril)
    return colour, 0.46 - 0.16 * red, 0.5 + 0.55 * red


@compiled
def eyeball(x: float, y: float, z: float) -> Rgb:
    side = 1.0 if x > 0 else -1.0
    x, y, z = x - side * EYE[0], y - EYE[1], z - EYE[2]
    r = sqrt(x * x + y * y)
    if z < 0:
        return WHITE
    angle = atan2(y, x)
    colour = mix(WHITE, VEIN, 0.55 * step(1.1, 1.7, r) + 0.05 * noise(angle * 9, r * 3, side))
    t = r / IRIS
    fibre = noise(cos(angle) * 9 + 20, sin(angle) * 9 + side * 5, r * 2.5) * 0.65
    fibre += 0.35 * noise(cos(angle) * 22, sin(angle) * 22, r * 4 + 9)
    iris = mix(IRIS_DARK, IRIS_LIGHT, min(max(1.25 * (fibre - 0.25), 0.0), 1.0))
    iris = mix(iris, IRIS_LIGHT, 0.45 * step(0.35, -0.6, y / IRIS) * step(0.95, 0.6, t))  # light gathers below
    iris = mix(iris, MUSTARD, 0.35 * exp(-(((t - 0.50) / 0.12) ** 2)))
    iris = mix(iris, IRIS_RIM, step(0.76, 0.97, t))
    iris = mix(iris, (0.004, 0.004, 0.006), 1 - step(0.40, 0.47, t))
    return mix(iris, colour, step(0.95, 1.06, t))


@compiled
def strands(x: float, y: float, z: float, fine: float) -> Rgb:
    lane = x * 0.9 + 0.35 * y + 0.3 * noise(x, y * 0.5, z)
    band = noise(lane * fine, y * 0.35, z * fine * 0.6)
    return mix(STRAND_DARK, STRAND_LIGHT, 0.15 + 0.85 * band)


@compiled
def cloth(part: int, x: float, y: float, z: float) -> Rgb:
    weave = 0.92 + 0.05 * sin(x * 13) * sin(y * 13) + 0.16 * (noise(x * 3, y * 3, z * 3) - 0.5)
    if part == COAT:
        u, v = x / 3.4 + y / 5.0, x / 3.4 - y / 5.0
        odd = (floor(u) + floor(v)) % 2
        colour = PLUM if odd else TEAL
        edge = min(abs(u - floor(u + 0.5)), abs(v - floor(v + 0.5)))
        colour = mix(MUSTARD, colour, step(0.022, 0.042, edge))
    else:
        rim = abs(y - (5.3 + 0.40 * z - 0.018 * x * x))
        colour = PLUM if x < 0 else TEAL
        if abs(x) < 0.24:
            colour = MUSTARD
        if rim < 0.85:
            colour = (
                MUSTARD if sin(34.0 * atan2(x, z + 3.9) + 2.2 * (y - 5.3 - 0.40 * z + 0.018 * x * x)) > -0.5 else CREAM
            )
        along = abs(x) - 0.35 * (y - 8.0)
        if abs(x) > 6 and floor((along + 40) / 1.7) % 3 == 0 and rim > 0.85:
            colour = mix(colour, MUSTARD, 0.85)
    return colour[0] * weave, colour[1] * weave, colour[2] * weave


@compiled
def material(part: int, x: float, y: float, z: float) -> tuple[Rgb, float, float, float, float]:
    """Colour, roughness, gloss, translucency (0..1), metal (0 or 1) at a rest position."""
    if part == SKIN:
        colour, rough, gloss = skin(x, y, z)
        return colour, rough, gloss, 1.0, 0.0
    if part == LID:
        # x: column -1..1, y: row; the first rows are the wet edge and the lash line.
        colour = mix(FACE, BLUSH, 0.34)
        upper = int(z) % 2 == 0
        line = step(3.4, 2.2, y) * (0.93 if upper else 0.35)
        return mix(colour, BROWN, line * step(1.0, 0.75, abs(x))), 0.5, 0.4, 0.8 * (1 - line), 0.0
    if part == EYEBALL:
        return eyeball(x, y, z), 0.08, 1.0, 0.25, 0.0
    if part == TEETH:
        return mix(TOOTH, GUMS, 0.25 * step(1.0, 1.3, abs(y + 6.76))), 0.22, 0.9, 0.35, 0.0
    if part == GUM:
        return GUMS, 0.3, 0.8, 0.5, 0.0
    if part == TONGUE:
        dots = 0.85 + 0.3 * noise(x * 7, y * 7, z * 7)
        return (TONGUES[0] * dots, TONGUES[1] * dots, TONGUES[2] * dots), 0.36, 0.7, 0.8, 0.0
    if part in (HAIR, BROW):
        colour = strands(x, y, z, 5.0) if part == HAIR else mix(BROWN, strands(x * 2 + y, y - x, z, 6.0), 0.45)
        return colour, 0.42, 0.55, 0.0, 0.0
    if part in (CAP, COAT):
        return cloth(part, x, y, z), 0.8, 0.25, 0.0, 0.0
    if part == RUFF:
        shade = 0.9 + 0.1 * noise(x * 2, y * 2, z * 2)
        return (CREAM[0] * shade, CREAM[1] * shade, CREAM[2] * shade), 0.8, 0.2, 0.35, 0.0
    if part == LASH:
        return (0.02, 0.008, 0.005), 0.6, 0.2, 0.0, 0.0
    return BRASS, 0.25, 1.0, 0.0, 1.0


@compiled
def bump(part: int, x: float, y: float, z: float) -> float:
    """Height (cm) of the finest relief: pores, cloth, strands."""
    if part == SKIN:
        return 0.011 * noise(x * 8, y * 8, z * 8)
    if part in (CAP, COAT):
        return 0.010 * noise(x * 7, y * 7, z * 7)
    if part == HAIR:
        return 0.06 * noise((x * 0.9 + 0.35 * y) * 6.0, y * 0.5, z * 4.0)
    if part == BROW:
        return 0.05 * noise((x * 2 + y) * 5.0, (y - x) * 1.2, z * 3.0)
    if part == TONGUE:
        return 0.03 * noise(x * 9, y * 9, z * 9)
    return 0.0
