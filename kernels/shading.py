"""What a pixel shows: scalar functions, as in `coverage.py` written once and compiled for the CPU and for CUDA."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np

Int = Any  # np.uint8 or int
Float = Any  # np.float32
Array = Any  # NumPy or CUDA


def checksum(name: str) -> int:
    """Changes with a file of this room; see `cpu.py`."""
    return zlib.crc32(Path(__file__).with_name(name).read_bytes())


def to_byte(value: Float) -> Int:
    """0..1 -> 0..255, halves up, clipped; NaN gives 0."""
    positive = value if value > np.float32(0) else np.float32(0)
    return np.uint8(np.int32(min(positive, np.float32(1)) * np.float32(255) + np.float32(0.5)))


def irradiance(nx: Float, ny: Float, nz: Float, light: Array, channel: Int) -> Float:
    """Light on a surface with this unit normal: nine bands of spherical harmonics, times Lambert's cosine lobe.

    Ramamoorthi and Hanrahan, *An Efficient Representation for Irradiance Environment Maps*, SIGGRAPH 2001, with the
    order, signs and scale of the bands (√3 and √8 times Lambert's) of Deep3D and AudioDVP, so that their coefficients
    can be used. `light`: float32 [9, 3], bands × colours.
    """
    return (
        np.float32(0.886227) * light[0, channel]
        + np.float32(1.772454) * (nz * light[2, channel] - ny * light[1, channel] - nx * light[3, channel])
        + np.float32(2.427032)
        * (
            nx * ny * light[4, channel]
            - ny * nz * light[5, channel]
            + np.float32(0.288675) * (np.float32(3) * nz * nz - np.float32(1)) * light[6, channel]
            - nx * nz * light[7, channel]
            + np.float32(0.5) * (nx * nx - ny * ny) * light[8, channel]
        )
    )
