"""3 × 3 convolutions over a few small pictures, in Triton: many small tiles where libraries take few large ones.

One picture at 16 × 16 px has work for a tenth of a large GPU's processors in the tiles that cuDNN chooses, and the
frame waits for each of two dozen such convolutions. Triton comes with PyTorch for CUDA.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

LARGEST = 1 << 21
"""Numbers in the output beyond which cuDNN is faster."""

TILES = (128, 64), (64, 64), (64, 32), (64, 16), (16, 32), (16, 16)
"""Pixels and channels of the output that one program makes."""

ENOUGH = 80
"""Programs: fewer leave too much of a large GPU without work.

On an H100 what follows is within 10 % of the best of 30 tiles for each of 20 shapes, and 1 % above it in all.
"""

ARCHITECTURE = 8, 0
"""Compute capability that Triton asks for."""


@triton.jit
def _kernel(  # type: ignore[no-untyped-def]  # noqa: ANN202  # in Triton's language annotations mean something else
    x, weight, bias, added, out, height, width, pixels,  # noqa: ANN001  # likewise
    inputs: tl.constexpr, outputs: tl.constexpr, stride: tl.constexpr, has_added: tl.constexpr, relu: tl.constexpr,
    rows: tl.constexpr, columns: tl.constexpr, depth: tl.constexpr,
):  # fmt: skip
    out_height, out_width = height // stride, width // stride
    m = tl.program_id(0) * rows + tl.arange(0, rows)
    n = tl.program_id(1) * columns + tl.arange(0, columns)
    inside, known = m < pixels, n < outputs
    image, place = m // (out_height * out_width), m % (out_height * out_width)
    top, left = place // out_width * stride - 1, place % out_width * stride - 1
    reach: tl.constexpr = 9 * inputs
    total = tl.zeros((rows, columns), tl.float32)
    for first in range(0, reach, depth):
        k = first + tl.arange(0, depth)  # along a pixel's weights: tap by tap, all channels of each
        tap, channel = k // inputs, k % inputs
        y, x_ = top[:, None] + (tap // 3)[None, :], left[:, None] + (tap % 3)[None, :]
        there = inside[:, None] & (k < reach)[None, :] & (y >= 0) & (y < height) & (x_ >= 0) & (x_ < width)
        pixel = (image[:, None] * height + y) * width + x_
        a = tl.load(x + pixel * inputs + channel[None, :], mask=there, other=0.0)
        b = tl.load(weight + n[None, :] * reach + k[:, None], mask=known[None, :] & (k < reach)[:, None], other=0.0)
        total = tl.dot(a, b, total)
    total += tl.load(bias + n, mask=known, other=0.0)[None, :]
    target, mask = m[:, None] * outputs + n[None, :], inside[:, None] & known[None, :]
    if has_added:
        total += tl.load(added + target, mask=mask, other=0.0)
    if relu:
        total = tl.maximum(total, 0.0)
    tl.store(out + target, total.to(out.dtype.element_ty), mask=mask)


def fits(x: Tensor, weight: Tensor, stride: list[int], pad: list[int]) -> bool:
    """Whether this convolution is of the kind, and small enough to be faster here."""
    outputs, inputs, *kernel = weight.shape
    if kernel != [3, 3] or pad != [1, 1] or inputs % 32 or x.dtype not in (torch.float16, torch.bfloat16):
        return False
    if x.is_cuda and torch.cuda.get_device_capability(x.device) < ARCHITECTURE:
        return False
    return len(x) * outputs * x.shape[2] * x.shape[3] // stride[0] ** 2 <= LARGEST


def convolve(x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None, stride: int, relu: bool) -> Tensor:
    """conv(x) + bias + added, then ReLU if so said; all channels last, the picture's sides multiples of the stride."""
    batch, inputs, height, width = x.shape
    outputs = len(weight)
    size = batch, outputs, height // stride, width // stride
    out = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    pixels = batch * size[2] * size[3]
    rows, columns, depth, warps, stages = tiles(pixels, inputs, outputs)
    _kernel[(triton.cdiv(pixels, rows), triton.cdiv(outputs, columns))](
        x, weight, bias, x if added is None else added, out, height, width, pixels,
        inputs, outputs, stride, added is not None, relu, rows, columns, depth, num_warps=warps, num_stages=stages,
    )  # fmt: skip
    return out


def tiles(pixels: int, inputs: int, outputs: int) -> tuple[int, int, int, int, int]:
    """Rows, columns and depth of the largest tile of which there are enough, and warps and stages that work on it."""
    fitting = (tile for tile in TILES if triton.cdiv(pixels, tile[0]) * triton.cdiv(outputs, tile[1]) >= ENOUGH)
    rows, columns = next(fitting, TILES[-1])
    if rows * columns > 2048:
        return rows, columns, 64, rows // 16, 4
    return rows, columns, *((64, 4, 4) if inputs <= 64 else (128, 4, 3))
