"""An ONNX file as a torch module, so that a puppet's networks run where torch runs without their Python code.

Knows the operators that our networks are exported to (opset 18); another one is refused by name. What decides shapes is
computed with NumPy, so that `torch.export` and CUDA graphs see only tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.convolution import convolve, joined, unshuffled
from models.errors import InputError

Value = Any  # Tensor, or an ndarray for what decides shapes, or None for an input left out
_INTEGERS = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)


class OnnxModule(nn.Module):
    """Runs the graph node by node. Takes tensors in the order of `inputs`, gives a tuple in the order of `outputs`."""

    def __init__(self, path: Path, dtype: torch.dtype = torch.float32, outputs: Collection[str] | None = None) -> None:
        """Read the file.

        Args:
            path: the ONNX file.
            dtype: of the weights and of all arithmetic between the inputs and outputs.
            outputs: those that are wanted, of which only what they need is run; None for all.

        Raises:
            InputError: it holds an operator that is not known here.
        """
        super().__init__()
        graph = onnx.load(str(path)).graph
        unknown = sorted({node.op_type for node in graph.node} - _OPERATORS.keys() - _NUMBERS.keys())
        if unknown:
            raise InputError(f"{path} uses {', '.join(unknown)}, which the torch engines do not know: use onnxruntime.")
        self.dtype = dtype
        self.outputs = [value.name for value in graph.output if outputs is None or value.name in outputs]
        nodes, needed = _needed(graph, self.outputs)
        self.inputs = [value.name for value in graph.input if outputs is None or value.name in needed]
        self.shapes = {value.name: _shape(value) for value in graph.input}
        self._numbers: dict[str, np.ndarray[Any, Any]] = {}
        self._weights: dict[str, str] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        shaping = {
            name for node in graph.node if node.op_type in _SHAPED for name in node.input[node.op_type != "Range" :]
        }
        for weight in (weight for weight in graph.initializer if weight.name in needed):
            array = onnx.numpy_helper.to_array(weight)
            if weight.data_type in _INTEGERS or weight.name in shaping:
                self._numbers[weight.name] = array
            else:
                self._weights[weight.name] = f"weight{len(self._weights)}"  # names of buffers hold no dots
                self.register_buffer(self._weights[weight.name], torch.tensor(array).to(dtype))
        self._nodes = [(node.op_type, list(node.input), list(node.output), _attributes(node)) for node in nodes]

    def join(self) -> OnnxModule:
        """Have convolutions done together with what follows them; only plain torch and torch.compile can do that."""
        weights = {name: getattr(self, buffer) for name, buffer in self._weights.items()}
        nodes = unshuffled(self._nodes, self.outputs, weights)
        for name in weights.keys() - self._weights.keys():
            self._weights[name] = f"weight{len(self._weights)}"
            weight = weights[name]
            layout = torch.channels_last if weight.dim() == 4 else torch.preserve_format
            self.register_buffer(self._weights[name], weight.clone(memory_format=layout))
        self._nodes = joined(nodes, self.outputs)
        return self

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run once. Floating inputs are brought to the module's dtype and outputs back to float32."""
        values: dict[str, Value] = {"": None} | self._numbers
        values |= {name: getattr(self, buffer) for name, buffer in self._weights.items()}
        for name, tensor in zip(self.inputs, tensors, strict=True):
            values[name] = tensor.to(self.dtype) if tensor.is_floating_point() else tensor
        device = tensors[0].device
        for kind, inputs, outputs, attributes in self._nodes:
            arguments = [values[name] for name in inputs]
            if kind in _NUMBERS and all(isinstance(value, np.ndarray) for value in arguments):
                values[outputs[0]] = np.asarray(_NUMBERS[kind](*arguments, **attributes))
                continue
            if kind not in _SHAPED:
                arguments = [self._tensor(value, device) for value in arguments]
            value = _OPERATORS[kind](*arguments, **attributes)
            if isinstance(value, tuple):
                values |= zip(outputs, value, strict=True)
                continue
            values[outputs[0]] = value.to(self.dtype) if kind == "Cast" and value.is_floating_point() else value
        found = (self._tensor(values[name], device) for name in self.outputs)
        return tuple(value.float() if value.is_floating_point() else value for value in found)

    def _tensor(self, value: Value, device: torch.device) -> Value:
        if not isinstance(value, np.ndarray):
            return value
        # Kept by the first run, since neither a CUDA graph nor a compiler can do with a copy from ordinary memory.
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._constants:
            tensor = torch.tensor(value, device=device)
            self._constants[key] = f"constant{len(self._constants)}"
            self.register_buffer(
                self._constants[key], tensor.to(self.dtype) if tensor.is_floating_point() else tensor, persistent=False
            )
        return getattr(self, self._constants[key])


def _needed(graph: onnx.GraphProto, outputs: list[str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that some outputs come from, in order, and the names of all values on the way."""
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    return nodes[::-1], needed


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    return tuple(size.dim_value or None for size in value.type.tensor_type.shape.dim)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    found = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _pads(pads: list[int]) -> list[int]:
    """ONNX counts begins, then ends; torch pairs them from the last axis on."""
    half = len(pads) // 2
    return [pad for axis in reversed(range(half)) for pad in (pads[axis], pads[half + axis])]


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, strides: list[int], pads: list[int], dilations: list[int],
    group: int, **_: Any,
) -> Tensor:  # fmt: skip
    run = functional.conv1d if weight.dim() == 3 else functional.conv2d
    half = len(pads) // 2
    if pads[:half] != pads[half:]:
        x, pads = functional.pad(x, _pads(pads)), [0] * half
    return run(x, weight, bias, tuple(strides), tuple(pads[: len(strides)]), tuple(dilations), group)


def _joined(
    x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None = None, *, strides: list[int], pads: list[int],
    relu: bool, **_: Any,
) -> Tensor:  # fmt: skip
    return convolve(x, weight, bias, added, strides, pads[:2], relu)


def _deconvolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, strides: list[int], pads: list[int], group: int, **_: Any
) -> Tensor:
    return functional.conv_transpose2d(x, weight, bias, tuple(strides), tuple(pads[:2]), 0, group)


def _average(x: Tensor, *, kernel_shape: list[int], strides: list[int], pads: list[int], **_: Any) -> Tensor:
    if len(kernel_shape) == 1:
        return functional.avg_pool1d(x, kernel_shape[0], strides[0], pads[0])
    return functional.avg_pool2d(x, tuple(kernel_shape), tuple(strides), tuple(pads[:2]))


def _highest(x: Tensor, *, kernel_shape: list[int], strides: list[int], **_: Any) -> Tensor:
    # A thousand hops for one maximum: a GPU reduces them at once, where its pooling takes them one by one.
    return x.unfold(-1, kernel_shape[0], strides[0]).amax(-1)


def _slice(x: Value, starts: Value, ends: Value, axes: Value, steps: Value = None) -> Value:
    for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist(), strict=True):
        chosen = [slice(None)] * x.ndim
        chosen[axis] = slice(start, end)
        x = x[tuple(chosen)]
    return x


def _gather(x: Value, indices: Value, *, axis: int = 0) -> Value:
    if isinstance(indices, np.ndarray) and indices.ndim == 0:
        return x.take(int(indices), axis) if isinstance(x, np.ndarray) else x.select(axis, int(indices))
    chosen = torch.as_tensor(indices, device=x.device)
    return x.index_select(axis, chosen) if chosen.dim() else x.index_select(axis, chosen.reshape(1)).squeeze(axis)


def _reduce(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(x: Tensor, axes: Value, *, keepdims: int = 1, **_: Any) -> Tensor:
        return run(x, tuple(axes.tolist()), keepdim=bool(keepdims))

    return reduce


def _resize(x: Tensor, _: Value, scales: Value, **__: Any) -> Tensor:
    return functional.interpolate(x, scale_factor=[float(factor) for factor in scales.tolist()[2:]], mode="nearest")


def _clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    x = x if low is None else torch.maximum(x, low.to(x.dtype))
    return x if high is None else torch.minimum(x, high.to(x.dtype))


def _reshape(x: Value, shape: Value, **_: Any) -> Value:
    sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape.tolist())]
    return x.reshape(sizes)


def _shape_of(x: Tensor, *, start: int = 0, end: int | None = None) -> np.ndarray[Any, Any]:
    return np.array([int(size) for size in x.shape[start:end]], np.int64)


def _unsqueeze(x: Value, axes: Value) -> Value:
    for axis in axes.tolist():
        x = np.expand_dims(x, axis) if isinstance(x, np.ndarray) else x.unsqueeze(axis)
    return x


def _normalise(
    x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *, epsilon: float = 1e-5, **_: Any
) -> Tensor:
    return functional.batch_norm(x, mean, variance, scale, bias, eps=epsilon)


def _quotient(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "floor")


_TYPES = {
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.FLOAT: torch.float32,
}

_NUMBERS: Mapping[str, Callable[..., np.ndarray[Any, Any]]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.floor_divide,
    "Squeeze": lambda x, axes=None: np.squeeze(x),
    "Reshape": _reshape, "Unsqueeze": _unsqueeze, "Gather": _gather, "Slice": _slice,
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "Cast": lambda x, to: x.astype(onnx.helper.tensor_dtype_to_np_dtype(to)),
    "Range": lambda start, end, step: np.arange(float(start), float(end), float(step)).astype(start.dtype),
}  # fmt: skip
"""What is computed of numbers alone."""

_SHAPED = {"Reshape", "Slice", "Gather", "Resize", "Unsqueeze", "Squeeze", "Expand", "Tile", "ReduceSum", "ReduceMean",
           "ReduceMax", "Range", "Split", "CumSum"}  # fmt: skip
"""Whose numbers must stay numbers."""

_OPERATORS: Mapping[str, Callable[..., Value]] = {
    "ConvRelu": lambda *given, **how: _joined(*given, **how, relu=True),
    "ConvBias": lambda *given, **how: _joined(*given, **how, relu=False),
    "Conv": _convolve, "ConvTranspose": _deconvolve, "BatchNormalization": _normalise,
    "AveragePool": _average, "MaxPool": _highest, "Resize": _resize,
    "DepthToSpace": lambda x, blocksize, mode: functional.pixel_shuffle(x, blocksize),
    "Relu": torch.relu, "LeakyRelu": lambda x, alpha=0.01: functional.leaky_relu(x, alpha),
    "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Log": torch.log, "Pow": torch.pow,
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": _quotient, "MatMul": torch.matmul,
    "Clip": _clip, "Where": torch.where, "And": torch.logical_and, "Less": torch.lt, "Greater": torch.gt,
    "LessOrEqual": torch.le,
    "Abs": torch.abs, "Max": torch.maximum, "IsNaN": torch.isnan, "IsInf": torch.isinf,
    "ReduceSum": _reduce(torch.sum), "ReduceMean": _reduce(torch.mean), "ReduceMax": _reduce(torch.amax),
    "Transpose": lambda x, perm: x.permute(perm),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Split": lambda x, sizes, axis: x.split(sizes.tolist(), axis), "CumSum": lambda x, axis, **_: x.cumsum(int(axis)),
    "Reshape": _reshape, "Slice": _slice, "Gather": _gather, "Unsqueeze": _unsqueeze,
    "Squeeze": lambda x, axes: x.squeeze(tuple(axes.tolist())),
    "Expand": lambda x, shape: x.expand(np.broadcast_shapes(tuple(x.shape), tuple(shape.tolist()))),
    "Tile": lambda x, repeats: x.repeat(repeats.tolist()),
    "Shape": _shape_of,
    "Cast": lambda x, to: x.to(_TYPES[to]),
}  # fmt: skip
