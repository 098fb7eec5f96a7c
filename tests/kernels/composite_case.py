"""The composite's CUDA kernels against the CPU's, on a device or in Numba's simulator."""

import numpy as np
from numba import cuda

from kernels import composite_cuda
from kernels.blend import blend, gains
from kernels.resample import resample

FADE = 8
RNG = np.random.default_rng(0)


def on_the_cpu(frame, rgb, alpha, crop, box):
    """The frame with the crop in the box, by the kernels that live pictures are made with."""
    side = len(rgb)
    ramp = np.minimum(np.arange(side), np.arange(side)[::-1]) / FADE
    fade = np.round(255 * np.minimum(np.minimum.outer(ramp, ramp), 1))
    rgba = np.concatenate([rgb, np.round(alpha * fade[..., None] / 255).astype(np.uint8)], 2)
    top, bottom, left, right = box
    patch = np.empty((bottom - top, right - left, 4), np.uint8)
    x, y, scale = (float(value) for value in crop)
    resample(rgba, patch, (left - x) * scale, (top - y) * scale, 1 / scale)
    below = frame[top:bottom, left:right].copy()
    blend(below, patch, gains(below, patch))
    whole = frame.copy()
    whole[top:bottom, left:right] = below
    return whole


def planes(picture):
    """I420 as BT.601 has it."""
    chroma = np.array([[-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
    luma = 16 + picture @ np.array([65.481, 128.553, 24.966]) / 255
    height, width, _ = picture.shape
    mean = picture.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    return np.concatenate([luma.ravel(), (128 + chroma @ mean.reshape(-1, 3).T).ravel()]).round().astype(np.uint8)


def check(height: int, width: int, side: int, scales: tuple[float, ...]) -> None:
    """Crops at several scales, half over a border of the frame, each in front of another frame."""
    count = len(scales)
    rough = RNG.integers(60, 190, (count, height // 4, width // 4, 3), dtype=np.uint8)
    frames = rough.repeat(4, 1).repeat(4, 2)
    crops = np.array([(width / 2 - side / s / 2, 3.3 - side / s / 9, s) for s in scales], np.float32)
    rgb = np.clip(RNG.normal(125, 12, (count, side, side, 3)), 0, 255).astype(np.uint8)
    away = np.hypot(*np.meshgrid(*[np.arange(side) - side / 2] * 2))
    alpha = np.clip(255 * (0.45 * side - away) / 6, 0, 255).astype(np.uint8)[None, ..., None].repeat(count, 0)
    at = np.arange(count)[::-1].copy()
    box = 0, height - 2, 2, width - 4
    top, bottom, left, right = box
    expected = np.stack([on_the_cpu(frames[n], rgb[b], alpha[b], crops[n], box) for b, n in enumerate(at)])
    assert (expected != frames[at]).any(3).sum() > count * side
    given = [cuda.to_device(array) for array in (rgb, alpha)]
    there = [cuda.to_device(array) for array in (crops, frames, at)]
    for i420 in (False, True):
        patch = cuda.to_device(np.full((count, bottom - top, right - left, 4), 9, np.uint8))
        sums = cuda.to_device(np.zeros((count, composite_cuda.SUMS), np.int32))
        if i420:
            out = cuda.to_device(np.full((count, height * width * 3 // 2), 9, np.uint8))
            composite_cuda.to_i420(there[1], there[2], out, 0)
        else:
            out = cuda.to_device(frames[at].reshape(count, -1))
        composite_cuda.cover(given[1], FADE, there[0], there[2], (top, left), patch, 0)
        composite_cuda.place(given[0], *there, (top, left), patch, sums, 0)
        composite_cuda.mix(*there[1:], (top, left), patch, sums, out, i420, 0)
        found = out.copy_to_host()
        want = np.stack([planes(picture) for picture in expected]) if i420 else expected
        error = np.abs(found.astype(int) - want.reshape(count, -1))
        assert error.max() <= 1  # sums are rounded once more on the CPU
        assert error.mean() < 0.01


if __name__ == "__main__":
    check(24, 32, 24, (1.0, 1.7, 0.6))
    print("the same")
