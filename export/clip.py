"""What the frames of a puppet's background are to the renderer, worked out once: all that no voice changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from models.camera import Crop, rotation_matrix
from models.conditioning import cut, hole_mask
from models.puppet import Puppet
from models.renderer_format import BLANK, SIZE

if TYPE_CHECKING:
    from torch import Tensor


Box = tuple[int, int, int, int]
"""First row and one past the last, first column and one past the last."""


@dataclass(frozen=True, slots=True)
class Clip:
    """N frames of H × W px."""

    frames: UInt8[NDArray[np.uint8], "N H W 3"]
    photo: UInt8[NDArray[np.uint8], "N 256 256 3"]
    """The crop with the hole blanked."""
    mask: UInt8[NDArray[np.uint8], "N 256 256 1"]
    rotation: Float32[NDArray[np.float32], "N 3 3"]
    """Head to camera."""
    translation: Float32[NDArray[np.float32], "N 3"]
    camera: Float32[NDArray[np.float32], "N 3"]
    """focal, cx, cy in px of the crop."""
    crop: Float32[NDArray[np.float32], "N 3"]
    """x, y and scale of `models.camera.Crop`."""

    @classmethod
    def of(cls, puppet: Puppet, count: int | None = None) -> Clip:
        """Decode the background, or its first `count` frames."""
        from models.video import read_frames  # needs PyAV; what was saved does not

        count = min(count or len(puppet.track.crop), len(puppet.track.crop))
        pictures = [picture for _, picture in read_frames(puppet.folder / "background.mp4", 0, count)]
        return cls.of_frames(puppet, range(count), pictures)

    @classmethod
    def of_frames(
        cls, puppet: Puppet, numbers: Sequence[int], pictures: Sequence[UInt8[NDArray[np.uint8], "H W 3"]]
    ) -> Clip:
        """Decoded frames and which of the background they are."""
        track, at = puppet.track, list(numbers)
        crops = [Crop(*row) for row in track.crop[at].tolist()]
        photos = [cut(picture, crop) for picture, crop in zip(pictures, crops, strict=True)]
        for photo, number in zip(photos, at, strict=True):
            cv2.fillPoly(photo, [track.hole[number]], (BLANK, BLANK, BLANK))
        cameras = [crop.camera(track.camera, SIZE) for crop in crops]
        return cls(
            np.stack(pictures),
            np.stack(photos),
            np.stack([hole_mask(track.hole[number]) for number in at])[..., None],
            rotation_matrix(track.rotation[at]),
            track.translation[at],
            np.array([(camera.focal, camera.cx, camera.cy) for camera in cameras], np.float32),
            track.crop[at],
        )

    def save(self, path: Path) -> None:
        """Write as .npz."""
        np.savez(path, allow_pickle=False, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Clip:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def on(self, device: str) -> dict[str, Tensor]:
        """The arrays as tensors on a device."""
        import torch  # what only saves and loads clips needs none

        return {field.name: torch.tensor(getattr(self, field.name), device=device) for field in fields(self)}

    @property
    def box(self) -> Box:
        """What is drawn anew in these frames."""
        return box(self.crop, *self.frames.shape[1:3])


def box(crop: Float32[NDArray[np.float32], "N 3"], height: int, width: int) -> Box:
    """Rows and columns of the frame that any crop covers: first and one past the last, all even."""
    side = SIZE / crop[:, 2]
    left, top = crop[:, :2].min(axis=0)
    right, bottom = (crop[:, :2] + side[:, None]).max(axis=0)
    columns = max(0, int(left) // 2 * 2), min(width, -(-int(np.ceil(right)) // 2) * 2)
    rows = max(0, int(top) // 2 * 2), min(height, -(-int(np.ceil(bottom)) // 2) * 2)
    return *rows, *columns
