"""The last part of a frame: its background comes, the drawn crop goes into it, and bytes leave for the host.

Two forms of the same: on a GPU all this is part of a graph, the background comes and leaves for the host while the face
is still being drawn, and what a crop may cover leaves once more, after that. On the CPU the live path's own functions
do it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import cv2
import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from models.camera import Crop
from models.composite import FADE, Compositor

Box = tuple[int, int, int, int]
"""Rows and columns: first and one past the last."""
Clip = Mapping[str, Tensor]
"""The arrays of `export.clip.Clip`, all on one device."""


class Pasting(Protocol):
    """For B frames at once. `cover` and `begin`, then `end`."""

    def beside(self) -> AbstractContextManager[object]:
        """What is done in here need not wait for what is done outside, until `end`."""
        ...

    def cover(self, alpha: UInt8[Tensor, "B S S 1"], at: Int64[Tensor, " B"]) -> None:
        """How much of each crop is to be taken: 255 all, 0 none."""
        ...

    def begin(self, at: Int64[Tensor, " B"]) -> None:
        """Fetch the backgrounds of these numbers. To be called in `beside`, last."""
        ...

    def end(
        self, rgb: UInt8[Tensor, "B S S 3"], at: Int64[Tensor, " B"]
    ) -> UInt8[Tensor, "B H W 3"] | UInt8[Tensor, "B rows W"]:
        """The frames with these crops in them, in the host's memory: always the same, RGB or I420 (H · 3/2 rows)."""
        ...


def pasting(clip: Clip, box: Box, batch: int, i420: bool) -> Pasting:
    """The form for the device that the clip is on."""
    return (OnDevice if clip["frames"].is_cuda else OnHost)(clip, box, batch, i420)


class OnHost:
    """A `Pasting` as the live path does it."""

    def __init__(self, clip: Clip, box: Box, batch: int, i420: bool) -> None:
        self._clip = {name: clip[name].numpy() for name in ("frames", "crop")}
        self._compositor = Compositor()
        self._i420 = i420
        self._taken = torch.zeros(_shape(clip, batch, i420), dtype=torch.uint8)

    def beside(self) -> AbstractContextManager[object]:
        """See `Pasting`."""
        return nullcontext()

    def cover(self, alpha: UInt8[Tensor, "B S S 1"], at: Int64[Tensor, " B"]) -> None:
        """See `Pasting`."""
        self._alpha = alpha[..., 0].contiguous().numpy()

    def begin(self, at: Int64[Tensor, " B"]) -> None:
        """See `Pasting`."""

    def end(
        self, rgb: UInt8[Tensor, "B S S 3"], at: Int64[Tensor, " B"]
    ) -> UInt8[Tensor, "B H W 3"] | UInt8[Tensor, "B rows W"]:
        """See `Pasting`."""
        for session, number in enumerate(at.tolist()):
            frame = self._clip["frames"][number].copy()
            crop = Crop(*self._clip["crop"][number].tolist())
            self._compositor.paste(frame, rgb[session].numpy(), self._alpha[session], crop)
            self._taken.numpy()[session] = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420) if self._i420 else frame
        return self._taken


class OnDevice:
    """A `Pasting` on a second stream of a GPU."""

    def __init__(self, clip: Clip, box: Box, batch: int, i420: bool) -> None:
        from kernels import composite_cuda, copy_cuda  # need the gpu extra, so only here

        self._kernels, self._to_host = composite_cuda, copy_cuda.to_host
        self._clip = clip
        self._i420 = i420
        top, bottom, left, right = box
        self._corner = top, left
        shape = _shape(clip, batch, i420)
        device = clip["frames"].device
        self._picture = torch.zeros(batch, int(np.prod(shape[1:])), dtype=torch.uint8, device=device)
        self._patch = torch.empty(batch, bottom - top, right - left, 4, dtype=torch.uint8, device=device)
        self._sums = torch.zeros(batch, composite_cuda.SUMS, dtype=torch.int32, device=device)
        self._taken = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        self._drawn = [changing(pictures, box, i420) for pictures in (self._picture.view(shape), self._taken)]
        self._second = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch has no types for it
        self._come = torch.cuda.Event()  # type: ignore[no-untyped-call]  # nor for this

    @contextmanager
    def beside(self) -> Iterator[None]:
        """See `Pasting`."""
        self._second.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._second):
            yield

    def cover(self, alpha: UInt8[Tensor, "B S S 1"], at: Int64[Tensor, " B"]) -> None:
        """See `Pasting`."""
        stream = torch.cuda.current_stream().cuda_stream
        self._kernels.cover(alpha.contiguous(), FADE, self._clip["crop"], at, self._corner, self._patch, stream)

    def begin(self, at: Int64[Tensor, " B"]) -> None:
        """See `Pasting`."""
        self._sums.zero_()
        frames = self._clip["frames"]
        if self._i420:
            self._kernels.to_i420(frames, at, self._picture, self._second.cuda_stream)
        else:
            wide = next(kind for kind in _WIDEST if self._picture.shape[1] % kind.itemsize == 0)
            source, target = frames.reshape(len(frames), -1).view(wide), self._picture.view(wide)
            torch.index_select(source, 0, at, out=target)
        self._come.record(self._second)
        self._taken.copy_(self._picture.view(self._taken.shape), non_blocking=True)

    def end(
        self, rgb: UInt8[Tensor, "B S S 3"], at: Int64[Tensor, " B"]
    ) -> UInt8[Tensor, "B H W 3"] | UInt8[Tensor, "B rows W"]:
        """See `Pasting`."""
        here = torch.cuda.current_stream()
        here.wait_event(self._come)
        clip, stream = self._clip, here.cuda_stream
        frames, place = clip["frames"], (at, self._corner, self._patch, self._sums)
        self._kernels.place(rgb.contiguous(), clip["crop"], frames, *place, stream)
        self._kernels.mix(frames, *place, self._picture, self._i420, stream)
        here.wait_stream(self._second)
        for drawn, taken in zip(*self._drawn, strict=True):
            self._to_host(drawn, taken.numpy(), stream)
        return self._taken


_WIDEST = (torch.int64, torch.int32, torch.int16, torch.uint8)
"""Eight bytes are copied as fast as one."""


def _shape(clip: Clip, batch: int, i420: bool) -> tuple[int, ...]:
    _, height, width, channels = clip["frames"].shape
    return (batch, height * 3 // 2, width) if i420 else (batch, height, width, channels)


def changing(pictures: UInt8[Tensor, "B ..."], box: Box, i420: bool) -> list[UInt8[Tensor, "B rows bytes"]]:
    """Views of what crops can change in pictures [B, H, W, 3], or in each plane of [B, H · 3/2, W]."""
    top, bottom, left, right = box
    if not i420:
        return [pictures.flatten(2)[:, top:bottom, 3 * left : 3 * right]]
    batch, rows, width = pictures.shape
    halved = pictures.view(batch, 2 * rows, width // 2)  # after the luma's, rows of half a picture
    across = slice(left // 2, right // 2)
    chroma = [halved[:, first + top // 2 : first + bottom // 2, across] for first in (rows * 4 // 3, rows * 5 // 3)]
    return [pictures[:, top:bottom, left:right], *chroma]
