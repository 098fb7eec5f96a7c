"""Steps compiled by Inductor: what lies between large convolutions becomes few kernels, written when first run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

Step = Callable[..., tuple[Tensor, ...]]

_OPTIONS: dict[str, Any] = {"combo_kernels": True}
"""What does not wait for one another is one launch: a voice of small kernels takes a quarter less."""

FEW = 64
"""Terms of a sum for which no matrix product is worth its launch."""


def built(step: Step, fused: bool) -> Step:
    """The step as it is, or compiled when it is first called, for the shapes that it is called with."""
    if not fused:
        return step
    compiled: list[Step] = []

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        if not compiled:
            compiled.append(torch.compile(traced(step, *tensors), dynamic=False, options=_OPTIONS))
        return compiled[0](*tensors)

    return run


def traced(step: Step, *tensors: Tensor) -> GraphModule:
    """The step as the compiler is to see it: operations, not the ONNX interpreter, with all constants in place."""
    step(*tensors)  # makes the constants; made while tracing, they would be copies from ordinary memory
    return make_fx(lambda *given: step(*given), decomposition_table=_DECOMPOSED)(*tensors)


def _convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int], dilation: list[int],
    transposed: bool, output_padding: list[int], groups: int,
) -> Tensor:  # fmt: skip
    """A convolution over a few hops of sound as a sum: one kernel together with all that surrounds it."""
    if weight.dim() == 4 and x.shape[2] == weight.shape[2] == 1:
        rest = stride[1:], padding[1:], dilation[1:], transposed, output_padding[1:], groups
        out = _convolution(x[:, :, 0], weight[:, :, 0], bias, *rest)
        return out if out is NotImplemented else out[:, :, None]
    if transposed or weight.dim() != 3 or any(padding):
        return NotImplemented
    reach = dilation[0] * (weight.shape[2] - 1) + 1
    windows = x.unfold(2, reach, stride[0])[..., :: dilation[0]]
    each, inputs, taps = windows.reshape(len(x), groups, 1, weight.shape[1], -1, weight.shape[2]), *weight.shape[1:]
    parts = each * weight.reshape(groups, -1, inputs, 1, taps)  # [B, groups, outputs, inputs, T, kernel]
    out = parts.sum((3, 5)).flatten(1, 2)
    return out if bias is None else out + bias[:, None]


def _product(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[-1] > FEW:
        return NotImplemented
    return (a[..., None] * b[..., None, :, :]).sum(-2)


def _product_and_sum(bias: Tensor, a: Tensor, b: Tensor, **scales: Any) -> Tensor:
    return NotImplemented if scales or a.shape[-1] > FEW else bias + _product(a, b)


_DECOMPOSED: dict[Any, Callable[..., Tensor]] = {
    torch.ops.aten.convolution.default: _convolution,
    torch.ops.aten.mm.default: _product,
    torch.ops.aten.bmm.default: _product,
    torch.ops.aten.addmm.default: _product_and_sum,
}
