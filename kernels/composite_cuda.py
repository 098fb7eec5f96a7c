"""The composite on a CUDA device: a batch of drawn crops go back into their frames, which come out as RGB or I420.

What `resample.py` and `blend.py` do on the CPU, a thread for each pixel. Sums that many threads add to are of integers,
so every run gives the same bits. Nothing is allocated and nobody waits, so a CUDA graph can hold the launches.
"""

from math import ceil, floor
from typing import Any

import numba.cuda
import numpy as np

from kernels.blend import ALIKE, ENOUGH, LEAST_GAIN, MOST_GAIN, ONE
from kernels.resample import STRETCH

Array = Any  # whatever has a __cuda_array_interface__
Float = Any  # np.float32
Int = Any  # np.int32
Stream = Any  # of Numba's
cuda: Any = numba.cuda  # half of it is untyped

THREADS = 128
SUMS = 7
"""Pixels of the rim; R, G, B of the frame there; R, G, B of the patch."""

_device = cuda.jit(device=True)
_f = np.float32


@_device
def _keys(d: Float) -> Float:
    if d < _f(1):
        return (_f(1.25) * d - _f(2.25)) * d * d + _f(1)
    return ((_f(3.75) - _f(0.75) * d) * d - _f(6)) * d + _f(3) if d < _f(2) else _f(0)


@_device
def _byte(value: Float) -> Int:
    return np.int32(min(max(value + _f(0.5), _f(0)), _f(255)))


@_device
def _inside(at: Int, size: Int) -> Int:
    return min(max(at, 0), size - 1)


@_device
def _share(alpha: Array, row: Int, column: Int, fade: Int) -> Float:
    """Alpha, vanishing over `fade` pixels towards the border of the crop."""
    side = alpha.shape[0]
    ramp = min(min(row, side - 1 - row), min(column, side - 1 - column))
    value = _f(alpha[row, column, 0])
    if ramp >= fade:
        return value
    return _f(_byte(value * _f(_byte(_f(255) * _f(ramp) / _f(fade))) / _f(255)))


@_device
def _source(crop: Array, row: Int, column: Int) -> tuple[Float, Float, Float]:
    """Where a pixel of the frame has its middle in the crop (down, to the right), and how far a tap reaches."""
    scale = crop[2]
    y, x = (_f(row) + _f(0.5) - crop[1]) * scale, (_f(column) + _f(0.5) - crop[0]) * scale
    return y, x, max(_f(1), _f(STRETCH) * scale)


@cuda.jit
def _cover(alpha: Array, fade: int, crops: Array, at: Array, top: int, left: int, patch: Array) -> None:
    pixel, image = cuda.grid(1), cuda.blockIdx.y
    row, column = pixel // patch.shape[2], pixel % patch.shape[2]
    if row >= patch.shape[1]:
        return
    y, x, stretch = _source(crops[at[image]], top + row, left + column)
    side, reach, share, total = alpha.shape[1], _f(2) * stretch, _f(0), _f(1)
    if -reach < y < side + reach and -reach < x < side + reach:
        total = _f(0)
        first_row, first_column = np.int32(floor(y - reach + _f(0.5))), np.int32(floor(x - reach + _f(0.5)))
        count = np.int32(ceil(_f(4) * stretch))
        for i in range(first_row, first_row + count):
            over = _keys(abs(_f(i) + _f(0.5) - y) / stretch)
            for j in range(first_column, first_column + count):
                weight = over * _keys(abs(_f(j) + _f(0.5) - x) / stretch)
                total += weight
                share += weight * _share(alpha[image], _inside(i, side), _inside(j, side), fade)
    patch[image, row, column, 3] = _byte(share / total)


@_device
def _sampled(rgb: Array, y: Float, x: Float, stretch: Float) -> tuple[Int, Int, Int]:
    """R, G and B of the crop at a point, in bytes."""
    side = rgb.shape[0]
    reach = _f(2) * stretch
    first_row, first_column = np.int32(floor(y - reach + _f(0.5))), np.int32(floor(x - reach + _f(0.5)))
    count = np.int32(ceil(_f(4) * stretch))
    red = green = blue = total = _f(0)
    for i in range(first_row, first_row + count):
        over = _keys(abs(_f(i) + _f(0.5) - y) / stretch)
        row = _inside(i, side)
        for j in range(first_column, first_column + count):
            weight = over * _keys(abs(_f(j) + _f(0.5) - x) / stretch)
            column = _inside(j, side)
            total += weight
            red += weight * _f(rgb[row, column, 0])
            green += weight * _f(rgb[row, column, 1])
            blue += weight * _f(rgb[row, column, 2])
    return _byte(red / total), _byte(green / total), _byte(blue / total)


@cuda.jit
def _place(rgb: Array, crops: Array, frames: Array, at: Array, top: int, left: int, patch: Array, sums: Array) -> None:
    block = cuda.shared.array(SUMS, np.int32)
    thread, pixel, image = cuda.threadIdx.x, cuda.grid(1), cuda.blockIdx.y
    if thread < SUMS:
        block[thread] = 0
    cuda.syncthreads()
    row, column = pixel // patch.shape[2], pixel % patch.shape[2]
    if row < patch.shape[1] and patch[image, row, column, 3] != 0:
        n = at[image]
        y, x, stretch = _source(crops[n], top + row, left + column)
        drawn_red, drawn_green, drawn_blue = _sampled(rgb[image], y, x, stretch)
        patch[image, row, column, 0] = drawn_red
        patch[image, row, column, 1] = drawn_green
        patch[image, row, column, 2] = drawn_blue
        if patch[image, row, column, 3] != 255:
            below = frames[n, top + row, left + column]
            red, green, blue = np.int32(below[0]), np.int32(below[1]), np.int32(below[2])
            if max(abs(drawn_red - red), abs(drawn_green - green), abs(drawn_blue - blue)) <= ALIKE:
                cuda.atomic.add(block, 0, 1)
                cuda.atomic.add(block, 1, red)
                cuda.atomic.add(block, 2, green)
                cuda.atomic.add(block, 3, blue)
                cuda.atomic.add(block, 4, drawn_red)
                cuda.atomic.add(block, 5, drawn_green)
                cuda.atomic.add(block, 6, drawn_blue)
    cuda.syncthreads()
    if thread < SUMS and block[thread] != 0:
        cuda.atomic.add(sums, (image, thread), block[thread])


@_device
def _mixed(frame: Array, patch: Array, sums: Array, row: Int, column: Int, top: Int, left: Int, channel: Int) -> Int:
    """A channel of a pixel of the box."""
    below, opaque = np.int32(frame[top + row, left + column, channel]), np.int32(patch[row, column, 3])
    gain = np.int64(ONE)
    if sums[0] >= ENOUGH:
        ratio = np.float64(sums[1 + channel]) / np.float64(max(sums[4 + channel], 1))
        gain = np.int64(ONE * min(max(ratio, LEAST_GAIN), MOST_GAIN))
    above: Int = (np.int64(patch[row, column, channel]) * gain + (ONE >> 1)) >> 16
    above = min(np.int32(above), 255)
    opaque += opaque >> 7
    return below + (((above - below) * opaque + 128) >> 8)


@cuda.jit
def _mix_rgb(frames: Array, at: Array, top: int, left: int, patch: Array, sums: Array, out: Array) -> None:
    pixel, image = cuda.grid(1), cuda.blockIdx.y
    row, column = pixel // patch.shape[2], pixel % patch.shape[2]
    if row >= patch.shape[1] or patch[image, row, column, 3] == 0:
        return
    place = 3 * ((top + row) * frames.shape[2] + left + column)
    for channel in range(3):
        out[image, place + channel] = _mixed(
            frames[at[image]], patch[image], sums[image], row, column, top, left, channel
        )


@_device
def _luma(red: Int, green: Int, blue: Int) -> Int:
    return _byte(_f(16) + (_f(65.481) * _f(red) + _f(128.553) * _f(green) + _f(24.966) * _f(blue)) / _f(255))


@_device
def _chroma(red: Int, green: Int, blue: Int, height: Int, width: Int, row: Int, column: Int, out: Array) -> None:
    """Write U and V of four pixels, whose sums are given; `row` and `column` of the first."""
    r, g, b = _f(red) / _f(1020), _f(green) / _f(1020), _f(blue) / _f(1020)
    place = height * width + (row // 2) * (width // 2) + column // 2
    out[place] = _byte(_f(128) - _f(37.797) * r - _f(74.203) * g + _f(112) * b)
    out[place + height * width // 4] = _byte(_f(128) + _f(112) * r - _f(93.786) * g - _f(18.214) * b)


@cuda.jit
def _mix_i420(frames: Array, at: Array, top: int, left: int, patch: Array, sums: Array, out: Array) -> None:
    square, image = cuda.grid(1), cuda.blockIdx.y
    row, column = 2 * (square // (patch.shape[2] // 2)), 2 * (square % (patch.shape[2] // 2))
    if row >= patch.shape[1]:
        return
    cover = patch[image]
    above, below = cover[row], cover[row + 1]
    if above[column, 3] | above[column + 1, 3] | below[column, 3] | below[column + 1, 3] == 0:
        return
    frame = frames[at[image]]
    height, width = frame.shape[0], frame.shape[1]
    reds = greens = blues = np.int32(0)
    for i in range(row, row + 2):
        for j in range(column, column + 2):
            red = _mixed(frame, cover, sums[image], i, j, top, left, 0)
            green = _mixed(frame, cover, sums[image], i, j, top, left, 1)
            blue = _mixed(frame, cover, sums[image], i, j, top, left, 2)
            out[image, (top + i) * width + left + j] = _luma(red, green, blue)
            reds, greens, blues = reds + red, greens + green, blues + blue
    _chroma(reds, greens, blues, height, width, top + row, left + column, out[image])


@cuda.jit
def _to_i420(frames: Array, at: Array, out: Array) -> None:
    square, image = cuda.grid(1), cuda.blockIdx.y
    frame = frames[at[image]]
    height, width = frame.shape[0], frame.shape[1]
    row, column = 2 * (square // (width // 2)), 2 * (square % (width // 2))
    if row >= height:
        return
    reds = greens = blues = np.int32(0)
    for i in range(row, row + 2):
        for j in range(column, column + 2):
            red, green, blue = np.int32(frame[i, j, 0]), np.int32(frame[i, j, 1]), np.int32(frame[i, j, 2])
            out[image, i * width + j] = _luma(red, green, blue)
            reds, greens, blues = reds + red, greens + green, blues + blue
    _chroma(reds, greens, blues, height, width, row, column, out[image])


def to_i420(frames: Array, at: Array, out: Array, stream: int) -> None:
    """Write frames `at` int64 [B] of uint8 [N, H, W, 3] as planes into uint8 [B, H · W · 3/2]; H and W are even.

    BT.601 in limited range, chroma averaged over 2 × 2 px.
    """
    batch, bytes_each = out.shape
    _to_i420[_grid(bytes_each // 6, batch), THREADS, _queue(stream)](frames, at, out)


def cover(alpha: Array, fade: int, crops: Array, at: Array, corner: tuple[int, int], patch: Array, stream: int) -> None:
    """Resample how much of each crop is to be taken to its place in the frame.

    Args:
        alpha: uint8 [B, S, S, 1].
        fade: width of the band along the crop's border over which alpha vanishes, px.
        crops: float32 [N, 3], x and y in the frame, and scale.
        at: int64 [B], number of each crop's frame.
        corner: row and column of the box in the frame.
        patch: uint8 [B, R, C, 4], the box, whose last channel is written.
        stream: handle of the CUDA stream to launch on.
    """
    batch, rows, columns, _ = patch.shape
    _cover[_grid(rows * columns, batch), THREADS, _queue(stream)](alpha, fade, crops, at, *corner, patch)


def place(
    rgb: Array, crops: Array, frames: Array, at: Array, corner: tuple[int, int], patch: Array, sums: Array, stream: int
) -> None:
    """Resample drawn crops to their places, after `cover`, and add up what the colour match needs.

    Args:
        rgb: uint8 [B, S, S, 3].
        crops, at, corner, stream: as for `cover`.
        frames: uint8 [N, H, W, 3], what lies below.
        patch: uint8 [B, R, C, 4], whose first channels are written where the last is not 0.
        sums: int32 [B, SUMS], zeros before.
    """
    batch, rows, columns, _ = patch.shape
    _place[_grid(rows * columns, batch), THREADS, _queue(stream)](rgb, crops, frames, at, *corner, patch, sums)


def mix(
    frames: Array, at: Array, corner: tuple[int, int], patch: Array, sums: Array, out: Array, i420: bool, stream: int
) -> None:
    """Blend what `cover` and `place` gave into `out` uint8 [B, bytes], which holds frames `at` as RGB or as I420.

    For I420, the box begins in even rows and columns and has an even number of each.
    """
    batch, rows, columns, _ = patch.shape
    kernel, pixels = (_mix_i420, rows * columns // 4) if i420 else (_mix_rgb, rows * columns)
    kernel[_grid(pixels, batch), THREADS, _queue(stream)](frames, at, *corner, patch, sums, out)


def _grid(threads: int, batch: int) -> tuple[int, int]:
    return -(-threads // THREADS), batch


def _queue(stream: int) -> Stream:
    return cuda.external_stream(stream) if stream else 0
