"""Which pixels a triangle owns: the scalar functions as plain Python, at the values where they turn."""

import numpy as np
import pytest

from kernels import coverage


@pytest.mark.parametrize(
    ("u", "x"),
    [(0.5, 0), (1.5, 256), (0, -128), (0.5 + 1 / 512, 1), (0.5 + 1 / 513, 0), (-0.5, -256), (0.5 - 1 / 512, 0)],
)
def test_positions_are_rounded_to_the_grid_halves_up(u, x):
    assert coverage.snap(np.float32(u), np.float32(u), np.float32(4)) == (x, x, 0.25)


def test_rounding_is_exact_next_to_a_half():
    rng = np.random.default_rng(0)
    halves = (np.concatenate([np.arange(-40, 40), rng.integers(-(2**29), 2**29, 300)]) / 512).astype(np.float32)
    for u in [*halves, *np.nextafter(halves, np.float32(9e9)), *np.nextafter(halves, np.float32(-9e9))]:
        if abs(u) < coverage.LIMIT:
            assert coverage.snap(u, u, np.float32(4))[0] == np.floor(np.float64(u) * 256 - 127.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, coverage.LIMIT, -coverage.LIMIT])
def test_what_cannot_be_snapped_is_rejected(bad):
    for position in [(bad, 1, 4), (1, bad, 4)]:
        assert coverage.snap(*map(np.float32, position))[0] == coverage.REJECTED
    assert coverage.snap(np.float32(1), np.float32(1), np.float32(coverage.NEAR))[0] == coverage.REJECTED
    assert coverage.snap(np.float32(1), np.float32(1), np.float32(coverage.FAR))[0] == coverage.REJECTED


def test_the_two_triangles_of_an_edge_disagree_about_it():
    a, b, edge = (3, -7), (515, 1033), coverage.edges_by(int, int)
    for x in range(-512, 1024, 128):
        for y in range(-512, 1024, 128):
            assert edge(*a, *b, x, y) == -edge(*b, *a, x, y)
    for step in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]:
        assert coverage.threshold(0, 0, *step) + coverage.threshold(*step, 0, 0) == 1  # one of the two owns it


def test_keys_sort_by_depth_then_number():
    keys = [
        coverage.key_of(np.float32(1) / np.float32(depth), triangle)
        for depth, triangle in [(0.2, 9), (1, 0), (1, 1), (1, 2**31 - 1), (np.nextafter(np.float32(1), 2), 0), (1e9, 5)]
    ]
    assert keys == sorted(set(keys))
    assert keys[-1] < coverage.EMPTY
    assert np.array(coverage.EMPTY).astype(np.int32) == -1  # what the passes rely on for the background


@pytest.mark.parametrize("step", range(-5, 6))
def test_a_row_begins_and_ends_where_the_edge_does(step):
    for value in range(-20, 21):
        for least in (0, 1):
            first, last = coverage.narrow(0, 9, value, step, least)
            assert list(range(first, last + 1)) == [k for k in range(10) if value + k * step >= least]
