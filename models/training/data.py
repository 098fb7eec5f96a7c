"""A clip prepared once for training the renderer: pictures in memory-mapped files, batches cut from them.

The folder holds everything that training needs, so it can be trained wherever torch runs:

    face.npy    uint8 [N, 256, 256, 6]  the rasterized face
    photo.npy   uint8 [N, 256, 256, 3]  the crop as filmed
    target.npy  uint8 [N, 256, 256, 3]  what to draw, so that its paste is as filmed (targets.py)
    mask.npy    uint8 [N, 256, 256]     255 in the hole
    mouth.npy   float32 [N, 4]          the lips' box, px of the crop
    partner.npy int32 [N, M]            frames whose head is in the same place, saying something else
    usable.npy  bool [N]                frames that show the face, with nothing before it

NumPy and torch only; `prepare`, which draws, lies in prepare.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.errors import TrackingError
from models.renderer_format import BLANK, SIZE

STORES = ("face", "photo", "target", "mask")
SHIFT = 10
"""Furthest random displacement of the window, px, either way."""
SWAPPED = 0.5
"""Share of samples whose surroundings come from a partner frame."""
MARGIN = 16
"""Real pixels around the hole that the window keeps, px."""
GAIN = 0.06
"""Standard deviation of the random brightness; a third of it for each colour apart."""


@dataclass(frozen=True)
class Batch:
    """One training step's pictures, channels last, a window of the crop."""

    face: UInt8[Tensor, "B H W 6"]
    photo: UInt8[Tensor, "B H W 3"]
    """With the hole blanked."""
    mask: UInt8[Tensor, "B H W 1"]
    known: Float[Tensor, "B 1 H W"]
    """1 where the target is what the hole should show, else 0: with a partner's surroundings that is the face alone,
    for the partner's collar is elsewhere."""
    target: Float[Tensor, "B 3 H W"]
    """What to draw, 0..1."""
    mouth: Float[Tensor, "B 4"]
    """The lips' box, px of the window."""

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them."""
        return self.face, self.photo, self.mask, self.known, self.target, self.mouth

    def clone(self) -> Batch:
        """A copy of everything."""
        return Batch(*(tensor.clone() for tensor in self.tensors()))


class Clip:
    """A prepared folder, of which the last `held_out` share in time is left alone.

    The pictures live on `device` if they take less than half of its free memory, else they are read from the files.
    """

    def __init__(self, folder: Path, device: torch.device, held_out: float = 0.0, whole: bool = False) -> None:
        """Open a folder. `whole`: the window is the whole crop."""
        files = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in STORES}
        self.frames = max(1, round(len(files["face"]) * (1 - held_out)))
        tensors = {name: torch.from_numpy(array[: self.frames]) for name, array in files.items()}
        size = sum(tensor.nbytes for tensor in tensors.values())
        resident = device.type == "cuda" and size < torch.cuda.mem_get_info(device)[0] / 2
        self._home = device if resident else torch.device("cpu")
        self._stores = {name: tensor.to(self._home) for name, tensor in tensors.items()}
        self._device = device
        self._mouth = torch.from_numpy(np.load(folder / "mouth.npy")[: self.frames])
        self._partner = torch.from_numpy(np.load(folder / "partner.npy")[: self.frames].astype(np.int64))
        itself = torch.arange(self.frames)
        usable = torch.from_numpy(np.load(folder / "usable.npy")[: self.frames])
        if not usable.any():
            raise TrackingError("No frame that may be learned from shows the face; film it again.")
        self._usable = usable.nonzero()[:, 0]
        known = (self._partner < self.frames) & usable[self._partner.clamp(max=self.frames - 1)]
        self._partner = torch.where(known, self._partner, itself[:, None])
        self.window = (0, 0, SIZE, SIZE) if whole else _window(files["mask"][: self.frames])

    def batch(self, size: int, random: torch.Generator) -> Batch:
        """Frames and windows drawn at random; `random` is a generator on the CPU."""

        def drawn(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high, shape, generator=random)

        left, top, width, height = self.window
        frame = self._usable[drawn(0, len(self._usable), size)]
        partner = self._partner[frame, drawn(0, self._partner.shape[1], size)]
        place = torch.where(torch.rand(size, generator=random) < SWAPPED, partner, frame)
        x = (left + drawn(-SHIFT, SHIFT + 1, size)).clamp(0, SIZE - width)
        y = (top + drawn(-SHIFT, SHIFT + 1, size)).clamp(0, SIZE - height)
        gain = 1 + GAIN * (torch.randn(size, 1, generator=random) + torch.randn(size, 3, generator=random) / 3)
        return self._cut(frame, place, x, y, gain)

    def _cut(self, frame: Tensor, place: Tensor, x: Tensor, y: Tensor, gain: Tensor) -> Batch:
        """Faces of `frame` in surroundings of `place`, in windows at x, y, all in one random light."""
        _, _, width, height = self.window
        mouth = self._mouth[frame] - torch.stack([x, y, x, y], dim=1)
        frame, place, x, y = (t.to(self._home, non_blocking=True) for t in (frame, place, x, y))
        rows = (y[:, None] + torch.arange(height, device=self._home))[:, :, None]
        columns = (x[:, None] + torch.arange(width, device=self._home))[:, None, :]
        cut = [
            self._stores[name][number[:, None, None], rows, columns].to(self._device, non_blocking=True)
            for name, number in (("face", frame), ("target", frame), ("photo", place), ("mask", place))
        ]
        face, target, photo, mask = cut
        own = (place == frame).to(self._device, non_blocking=True)[:, None, None]
        known = (mask > 0) & (own | (face > 0).any(dim=-1))
        gain = gain.to(self._device, non_blocking=True)[:, None, None]
        mask = mask[..., None]
        return Batch(
            face,
            torch.where(mask > 0, BLANK, (photo * gain + 0.5).clamp(0, 255).to(torch.uint8)),
            mask,
            known[:, None].float(),
            (target * (gain / 255)).clamp(0, 1).permute(0, 3, 1, 2),
            mouth.to(self._device, non_blocking=True),
        )


def _window(masks: UInt8[np.ndarray, "N 256 256"]) -> tuple[int, int, int, int]:
    """Left, top, width, height of the box around all holes with a margin; sizes are multiples of 16."""
    ever = np.asarray(masks).max(axis=0) > 0
    box = []
    for axis in (0, 1):
        inside = np.flatnonzero(ever.any(axis=axis))
        low, high = max(0, inside[0] - MARGIN), min(SIZE, inside[-1] + 1 + MARGIN)
        length = min(SIZE, -(-(high - low) // 16) * 16)
        box.append((max(0, min(low - (length - (high - low)) // 2, SIZE - length)), length))
    (left, width), (top, height) = box
    return int(left), int(top), int(width), int(height)
