"""What a pixel shows, as plain Python, at the values where they turn."""

import numpy as np
import pytest

from kernels import shading


@pytest.mark.parametrize(
    ("value", "octet"),
    [(0, 0), (1, 255), (0.5, 128), (0.1, 26), (-3, 0), (7, 255), (np.nan, 0), (np.inf, 255), (-np.inf, 0)],
)
def test_bytes_are_rounded_and_clipped(value, octet):
    assert shading.to_byte(np.float32(value)) == octet


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
