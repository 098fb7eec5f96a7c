"""A convolution together with what nearly always follows it, as one launch: bias, something added, ReLU.

On CUDA cuDNN fuses them; compilers that call its convolutions leave the rest to a launch of their own, which at these
sizes takes as long as half the convolution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Batching = Any  # what torch gives a rule for vmap
Node = tuple[str, list[str], list[str], dict[str, Any]]
"""Operator, names of inputs and outputs, attributes; as in ONNX."""


@torch.library.custom_op(
    "marotte::convolve",
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor bias, Tensor? added, int[] stride, int[] pad, bool relu) -> Tensor",
)
def convolve(
    x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None, stride: list[int], pad: list[int], relu: bool
) -> Tensor:
    """conv(x) + bias + added, then ReLU if so said; channels last on CUDA."""
    if x.is_cuda:
        from export import small_convolution  # needs Triton, so only here

        x = x.contiguous(memory_format=torch.channels_last)
        added = None if added is None else added.contiguous(memory_format=torch.channels_last)
        if small_convolution.fits(x, weight, stride, pad):
            return small_convolution.convolve(x, weight, bias, added, stride[0], relu)
        if relu and added is None:
            return torch.cudnn_convolution_relu(x, weight, bias, stride, pad, [1, 1], 1)
        if relu and added is not None:
            return torch.cudnn_convolution_add_relu(x, weight, added, 1.0, bias, stride, pad, [1, 1], 1)
    out = functional.conv2d(x, weight, bias, stride, pad)
    out = out if added is None else out + added
    return functional.relu(out) if relu else out


@convolve.register_fake
def _(
    x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None, stride: list[int], pad: list[int], relu: bool
) -> Tensor:
    return functional.conv2d(x, weight, bias, stride, pad).to(memory_format=torch.channels_last)


@convolve.register_vmap
def _(
    info: Batching, dims: tuple[Any, ...], x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None,
    stride: list[int], pad: list[int], relu: bool,
) -> tuple[Tensor, int]:  # fmt: skip
    """Batches of batches of pictures are a batch of pictures."""
    together = None if added is None else _flat(added, dims[3])
    out = convolve(_flat(x, dims[0]), weight, bias, together, stride, pad, relu)
    return out.unflatten(0, (info.batch_size, -1)), 0


def _flat(x: Tensor, dim: int) -> Tensor:
    return x.movedim(dim, 0).flatten(0, 1).contiguous(memory_format=torch.channels_last)


def unshuffled(nodes: Sequence[Node], outputs: Sequence[str], weights: dict[str, Tensor]) -> list[Node]:
    """The nodes with no pixel shuffle before a convolution: instead, that works at the lower resolution.

    Relu and shuffle change places, and so do shuffle and convolution, whose weights spread over the pixels that a
    shuffle brings together. That is more arithmetic, most of it with zeros, in shapes that suit tensor cores, and
    nothing is moved about. New weights are added to `weights`.
    """
    nodes = list(nodes)
    while (found := _after_a_shuffle(nodes, outputs)) is not None:
        shuffle, relu, convolution = found
        (_, source, _, how), (_, _, [output], attributes) = nodes[shuffle], nodes[convolution]
        size, (x, weight, bias) = how["blocksize"], nodes[convolution][1]
        names = [f"{name}.{size}" for name in (weight, bias, output)]
        weights[names[0]] = _spread(weights[weight], size)
        weights[names[1]] = weights[bias].repeat_interleave(size**2)
        nodes[convolution : convolution + 1] = [
            ("Conv", [x, *names[:2]], names[2:], attributes),
            ("DepthToSpace", names[2:], [output], how),
        ]
        nodes[relu] = "Relu", source, [x], {}
        del nodes[shuffle]
    return nodes


def _after_a_shuffle(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[int, int, int] | None:
    """Places of a shuffle, a ReLU and a convolution that follow one another and nothing else does; None for none."""
    uses = Counter([*outputs, *(name for _, inputs, _, _ in nodes for name in inputs)])
    made = {values[0]: place for place, (_, _, values, _) in enumerate(nodes) if uses[values[0]] == 1}
    for place, (kind, inputs, _, attributes) in enumerate(nodes):
        if kind != "Conv" or not _is_plain(inputs, attributes):
            continue
        if [*attributes["kernel_shape"], *attributes["strides"]] != [3, 3, 1, 1]:
            continue
        relu = made.get(inputs[0])
        shuffle = None if relu is None or nodes[relu][0] != "Relu" else made.get(nodes[relu][1][0])
        if relu is not None and shuffle is not None and nodes[shuffle][0] == "DepthToSpace":
            return shuffle, relu, place
    return None


def _spread(weight: Float[Tensor, "O C 3 3"], size: int) -> Float[Tensor, "O2 C2 3 3"]:
    """Weights that do before a pixel shuffle by `size` what these do after it."""
    outputs, inputs = weight.shape[:2]
    spread = weight.new_zeros(outputs, size, size, inputs, size, size, 3, 3)
    for row, column, down, right in product(range(size), range(size), range(3), range(3)):
        (y, i), (x, j) = divmod(row + down - 1, size), divmod(column + right - 1, size)
        spread[:, row, column, :, i, j, y + 1, x + 1] = weight[:, :, down, right]
    return spread.reshape(outputs * size**2, inputs * size**2, 3, 3)


def joined(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes, in order, with each Conv, Relu and each Conv, Add, Relu as one "ConvRelu", and Conv as "ConvBias"."""
    uses = Counter([*outputs, *(name for _, inputs, _, _ in nodes for name in inputs)])
    begun: dict[str, tuple[list[str], dict[str, Any], set[str]]] = {}
    """Of a value that a convolution gives, perhaps after an addition: inputs, attributes, and all such values."""
    result: list[Node] = []
    for node in nodes:
        kind, inputs, (output, *_), attributes = node
        before = next((name for name in inputs if name in begun and uses[name] == 1), None)
        if kind == "Conv" and _is_plain(inputs, attributes):
            begun[output] = inputs, attributes, {output}
        elif kind == "Add" and before and len(begun[before][0]) == 3:
            taken, given, values = begun[before]
            begun[output] = [*taken, *(other for other in inputs if other != before)], given, values | {output}
        elif kind == "Relu" and before:
            taken, given, values = begun[before]
            result = [one for one in result if not values.intersection(one[2])]
            node = "ConvRelu", taken, [output], given
        result.append(node)
    return [
        ("ConvBias", inputs, values, how) if kind == "Conv" and _is_plain(inputs, how) else (kind, inputs, values, how)
        for kind, inputs, values, how in result
    ]


def _is_plain(inputs: list[str], attributes: dict[str, Any]) -> bool:
    pads = attributes["pads"]
    return (
        len(inputs) == 3 and len(pads) == 4 and pads[:2] == pads[2:] and attributes["group"] == 1
        and attributes["dilations"] == [1, 1]
    )  # fmt: skip
