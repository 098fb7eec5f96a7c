"""The scalar functions as plain Python, at the values where they turn."""

import numpy as np
import pytest

from kernels import shading


@pytest.mark.parametrize(
    ("u", "x"),
    [(0.5, 0), (1.5, 256), (0, -128), (0.5 + 1 / 512, 1), (0.5 + 1 / 513, 0), (-0.5, -256), (0.5 - 1 / 512, 0)],
)
def test_positions_are_rounded_to_the_grid_halves_up(u, x):
    assert shading.snap(np.float32(u), np.float32(u), np.float32(4)) == (x, x, 0.25)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, shading.LIMIT, -shading.LIMIT])
def test_what_cannot_be_snapped_is_rejected(bad):
    for position in [(bad, 1, 4), (1, bad, 4)]:
        assert shading.snap(*map(np.float32, position))[0] == shading.REJECTED
    assert shading.snap(np.float32(1), np.float32(1), np.float32(shading.NEAR))[0] == shading.REJECTED
    assert shading.snap(np.float32(1), np.float32(1), np.float32(shading.FAR))[0] == shading.REJECTED


def test_the_two_triangles_of_an_edge_disagree_about_it():
    a, b = (3, -7), (515, 1033)
    for x in range(-512, 1024, 128):
        for y in range(-512, 1024, 128):
            assert shading.edge(*a, *b, x, y) == -shading.edge(*b, *a, x, y)
    for step in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]:
        assert shading.threshold(0, 0, *step) + shading.threshold(*step, 0, 0) == 1  # one of the two owns it


def test_keys_sort_by_depth_then_number():
    keys = [
        shading.key_of(np.float32(1) / np.float32(depth), triangle)
        for depth, triangle in [(0.2, 9), (1, 0), (1, 1), (1, 2**31 - 1), (np.nextafter(np.float32(1), 2), 0), (1e9, 5)]
    ]
    assert keys == sorted(set(keys))
    assert keys[-1] < shading.EMPTY
    assert np.array(shading.EMPTY).astype(np.int32) == -1  # what the passes rely on for the background


@pytest.mark.parametrize(
    ("value", "octet"),
    [(0, 0), (1, 255), (0.5, 128), (0.1, 26), (-3, 0), (7, 255), (np.nan, 0), (np.inf, 255), (-np.inf, 0)],
)
def test_bytes_are_rounded_and_clipped(value, octet):
    assert shading.to_byte(np.float32(value)) == octet


@pytest.mark.parametrize("step", range(-5, 6))
def test_a_row_begins_and_ends_where_the_edge_does(step):
    for value in range(-20, 21):
        for least in (0, 1):
            first, last = shading.narrow(0, 9, value, step, least)
            assert list(range(first, last + 1)) == [k for k in range(10) if value + k * step >= least]


def test_light_follows_lambert():
    direction = np.array([0.48, 0.6, 0.64])
    # A light from one direction, projected on nine bands; with them max(0, cos) comes out within a tenth.
    x, y, z = direction
    light = np.array(
        [0.282095, -0.488603 * y, 0.488603 * z, -0.488603 * x, 1.092548 * x * y, -1.092548 * y * z,
         0.315392 * (3 * z * z - 1), -1.092548 * x * z, 0.546274 * (x * x - y * y)]
    )  # fmt: skip
    light /= np.repeat([1, 3**0.5, 8**0.5], [1, 3, 5])  # the scale of the bands
    for normal in np.random.default_rng(0).normal(size=(50, 3)):
        normal /= np.linalg.norm(normal)
        shine = shading.irradiance(*normal, np.tile(light[:, None], 3), 1)
        assert abs(shine - max(0, normal @ direction)) < 0.1
