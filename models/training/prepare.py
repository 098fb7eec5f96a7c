"""Draw a fitted clip as the renderer will see it, into a folder that training reads; see data.py for the files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8
from numpy.typing import NDArray

from models.conditioning import Conditioner, cut, hole_mask
from models.errors import VideoError
from models.renderer_format import CHANNELS, SIZE
from models.training.fit_face import FaceFit
from models.training.framing import Framing
from models.training.targets import target

FILES = ("face", "photo", "target", "mask", "mouth", "partner", "usable")
PARTNERS = 16
NEAR_IN_CROP, NEAR_IN_FRAME = 2.0, 8.0
"""Mean distance of two holes' outlines under which one frame may stand in for the other, px of the crop: as the
crops show them, where the face must fit, and as the frames do, where collar and background must."""
APART = 5
"""Frames nearer in time say the same."""


def prepare(
    folder: Path,
    pictures: Iterable[UInt8[NDArray[np.uint8], "H W 3"]],
    fit: FaceFit,
    framing: Framing,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the training folder; it appears under its name only when complete.

    `pictures`: the clip's N frames. `progress` is told frames done and frames in all.

    Raises:
        VideoError: the clip has fewer frames than the fit.
    """
    count = len(fit.expression)
    conditioner = Conditioner(fit.face, fit.camera)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))

    def new(name: str, channels: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
        shape = (count, SIZE, SIZE, *channels)
        return np.lib.format.open_memmap(scratch / f"{name}.npy", "w+", np.uint8, shape)

    try:
        faces, masks = new("face", (CHANNELS,)), new("mask", ())
        photos, targets = new("photo", (3,)), new("target", (3,))
        done = 0
        for n, picture in zip(range(count), pictures, strict=False):
            crop = framing.crop_at(n)
            faces[n] = conditioner.face(fit.expression[n], fit.rotation[n], fit.translation[n], crop)
            photos[n] = cut(picture, crop)
            targets[n] = target(picture, crop)
            masks[n] = hole_mask(framing.hole[n])
            done = n + 1
            if progress:
                progress(done, count)
        if done < count:
            raise VideoError(f"The clip has {done} frames where {count} were fitted; calibrate it again.")
        for file in (faces, photos, targets, masks):
            file.flush()
        np.save(scratch / "mouth.npy", framing.mouth)
        np.save(scratch / "partner.npy", partners(framing))
        np.save(scratch / "usable.npy", fit.valid)
        scratch.chmod(0o755)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def join(folder: Path, first: Path, second: Path) -> None:
    """Write the training folder of two clips, one after the other; it appears under its name only when complete."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name in FILES:
            one, other = (np.load(part / f"{name}.npy", mmap_mode="r") for part in (first, second))
            shape = (len(one) + len(other), *one.shape[1:])
            both = np.lib.format.open_memmap(scratch / f"{name}.npy", "w+", one.dtype, shape)
            both[: len(one)] = one
            both[len(one) :] = other + len(one) if name == "partner" else other
            both.flush()
        scratch.chmod(0o755)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def partners(framing: Framing) -> Int32[NDArray[np.int32], "N M"]:
    """For each frame, others whose hole is at the same place of the picture; the frame itself where there are none.

    Live, the surroundings come from a frame in which another word was spoken. Training on such pairs keeps the network
    from reading the mouth off the cheeks and the throat.
    """
    in_crop = framing.hole.astype(np.float32)
    scale = framing.crop[:, 2, None, None]
    in_frame = in_crop + framing.crop[:, None, :2] * scale
    count = len(in_crop)
    chosen = np.repeat(np.arange(count, dtype=np.int32)[:, None], PARTNERS, axis=1)
    for n in range(count):
        by_crop, by_frame = (np.linalg.norm(o - o[n], axis=-1).mean(axis=-1) for o in (in_crop, in_frame))
        fits = (by_crop < NEAR_IN_CROP) & (by_frame < NEAR_IN_FRAME)
        fits[max(0, n - APART + 1) : n + APART] = False
        near = np.flatnonzero(fits)
        if len(near):
            chosen[n] = np.resize(near[np.argsort(by_crop[near])], PARTNERS)
    return chosen
