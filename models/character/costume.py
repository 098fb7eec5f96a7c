"""Distance fields of what the character wears: hair, jester's cap with two horns and bells, coat."""

from math import atan2, exp, sin, sqrt

from models.character.compiled import compiled
from models.character.sculpt import ball, cone, cut, ellipsoid, skull, union

# A horn of the cap is a chain of limbs (x, y, z, radius); it droops to the side and ends in a bell.
HORN = (
    (3.2, 8.6, -3.2, 4.3),
    (6.3, 12.2, -2.6, 3.1),
    (9.6, 13.0, -1.8, 2.2),
    (12.0, 10.6, -1.2, 1.35),
    (12.9, 7.4, -0.8, 0.7),
)
BELL = (13.0, 5.75, -0.75)
BELL_RADIUS = 1.15


@compiled
def cap_edge(x: float, z: float) -> float:
    """Height of the cap's rim: low behind the ears, over the hairline in front."""
    return 5.3 + 0.40 * z - 0.018 * x * x


@compiled
def horn(x: float, y: float, z: float) -> float:
    d = 99.0
    for i in range(4):
        a, b = HORN[i], HORN[i + 1]
        d = union(d, cone(x, y, z, (a[0], a[1], a[2]), (b[0], b[1], b[2]), a[3], b[3]), 0.8)
    # Soft folds where the cloth turns.
    return d + 0.07 * sin(2.1 * x + 1.2 * y) * exp(-(((x - 8.5) / 3.0) ** 2))


@compiled
def cap(x: float, y: float, z: float) -> float:
    side = x
    x = abs(x)
    hood = ellipsoid(x, y - 4.3, z + 3.9, 8.15, 8.8, 9.6)
    d = union(hood, horn(x, y, z), 1.4)
    d += 0.10 * exp(-((side / 0.22) ** 2)) * (1.0 if y > 5.0 else 0.0)  # seam between the two colours
    edge = cap_edge(x, z)
    d = cut(d, y - edge, 0.5)
    # A padded roll along the rim.
    roll = sqrt((hood + 0.05) ** 2 + ((y - edge) * 0.93) ** 2) - 0.68
    turn = atan2(side, z + 3.9)
    roll += 0.05 * sin(34.0 * turn + 2.2 * (y - edge))
    return min(d, roll)


@compiled
def bell(x: float, y: float, z: float) -> float:
    x = abs(x) - BELL[0]
    y -= BELL[1]
    z -= BELL[2]
    d = ball(x, y, z, BELL_RADIUS)
    d = union(d, sqrt((sqrt(x * x + z * z) - BELL_RADIUS) ** 2 + y * y) - 0.10, 0.1)  # girdle
    slot = max(abs(x) - 0.09, y + 0.2)
    d = cut(d, max(slot, -ball(x, y, z, BELL_RADIUS - 0.4)), 0.06)
    return min(d, sqrt((sqrt(x * x + (y - 1.25) ** 2) - 0.3) ** 2 + z * z) - 0.09)


@compiled
def hair(x: float, y: float, z: float) -> float:
    """Side locks and a fringe, built of thick modelled strands."""
    side = x
    shell = skull(abs(x), y, z)
    d = 99.0
    # The fringe sweeps from a parting on the screen's left; its third coordinate is the height over the skull.
    for i in range(9):
        t = i / 8.0
        root = (-2.2 + 1.1 * (t - 0.5), 7.6, 0.2)
        end = 5.9 * t - 5.6 * (1 - t) if t > 0.28 else -5.9 + 1.5 * t
        drop = 3.35 - 0.9 * abs(t - 0.35) * 2.0 + 0.35 * (i % 2)
        tip = (end, drop + 0.45, 0.12)
        bend = (0.45 * root[0] + 0.55 * end, 6.3, 0.32)
        one = union(cone(side, y, shell, root, bend, 0.7, 0.66), cone(side, y, shell, bend, tip, 0.66, 0.12), 0.25)
        d = union(d, one if z > 0.0 else 9.0, 0.16)
    # Locks in front of the ears, ending in a curl.
    x = abs(x)
    for i in range(4):
        fx = 6.35 + 0.28 * i
        fz = 1.3 - 1.15 * i
        one = cone(x, y, z, (fx - 0.2, 5.2, fz), (fx + 0.25, 0.9 - 0.3 * i, fz - 0.1), 0.85, 0.66)
        low = -2.9 + 0.5 * i
        one = union(
            one, cone(x, y, z, (fx + 0.25, 0.9 - 0.3 * i, fz - 0.1), (fx + 0.05, low, fz + 0.15), 0.66, 0.14), 0.3
        )
        d = union(d, one, 0.14)
    # A tuft behind each ear.
    for i in range(4):
        a = (7.0, 2.5 - 0.8 * i, -4.2 - 0.3 * i)
        b = (8.3 - 0.45 * i, -1.9 - 1.2 * i, -4.6)
        c = (8.9 - 0.7 * i, -4.3 - 1.0 * i, -3.9)
        d = union(d, union(cone(x, y, z, a, b, 1.3, 1.0), cone(x, y, z, b, c, 1.0, 0.15), 0.3), 0.18)
    return max(max(d, -(shell + 0.35)), y - cap_edge(side, z) - 0.1)


@compiled
def coat(x: float, y: float, z: float) -> float:
    ax = abs(x)
    d = ellipsoid(ax, y + 27.0, z + 5.0, 15.0, 11.5, 7.6)
    d = union(d, cone(ax, y, z, (5.0, -18.6, -5.2), (14.0, -21.6, -5.4), 3.6, 3.9), 3.0)
    d = union(d, cone(ax, y, z, (14.0, -21.6, -5.4), (16.5, -32.0, -4.5), 4.0, 4.2), 2.5)
    d = union(d, ellipsoid(ax, y + 17.0, z + 5.0, 5.4, 3.2, 5.4), 2.0)
    # Folds that fall from the shoulders.
    d += 0.10 * sin(1.1 * ax - 0.55 * y + 0.8 * sin(0.4 * y)) * exp(-(((ax - 10.0) / 5.0) ** 2))
    flap = x + 0.12 * (y + 18.0)
    return d - 0.16 / (1.0 + exp(min(max(-14.0 * flap, -40.0), 40.0)))


@compiled
def buttons(x: float, y: float, z: float) -> float:
    d = 99.0
    for i in range(2):
        by = -20.6 - 3.4 * i
        bz = 1.9 + 0.10 * (20.6 + by) * -1.0
        d = min(d, ellipsoid(x + 0.9 - 0.1 * i, y - by, z - bz, 0.75, 0.75, 0.4))
    return d
