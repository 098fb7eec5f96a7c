"""Reading a photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from models.errors import VideoError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
LONGEST = 1280
"""Side of the puppet's picture, px at most: what a video call shows."""


def is_photo(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def read_photo(path: Path) -> UInt8[NDArray[np.uint8], "H W 3"]:
    """The photo, upright, LONGEST px at most, with even sides as video wants them. Raises VideoError."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror}.") from error
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
    if picture is None:
        raise VideoError(f"{path} is no picture that can be read; save it as JPEG or PNG.")
    scale = min(1.0, LONGEST / max(picture.shape[:2]))
    height, width = (2 * max(1, round(side * scale / 2)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
