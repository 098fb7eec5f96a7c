"""A network's layers: what each computes, holds and, where the engine tells, takes; and the peak of the machine."""

from __future__ import annotations

import time
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from export import store
from export.engine import Recipe
from export.manifest import fingerprint
from export.openvino_engine import SUFFIX, settings

PROFILED_RUNS = 10
Rows = list[dict[str, Any]]


def total(onnx: Path) -> float:
    """FLOP of one run: two per multiplication and addition."""
    return sum(flops(node) for node in openvino.Core().read_model(str(onnx)).get_ops())


def flops(node: openvino.Node) -> float:
    """Of one operation; only those that multiply matrices count."""
    kind = node.get_type_name()
    if kind not in ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"):
        return 0.0
    shapes = node.get_input_partial_shape(0), node.get_input_partial_shape(1), node.get_output_partial_shape(0)
    if any(shape.is_dynamic for shape in shapes):
        return 0.0
    x, weight, output = (list(shape.to_shape()) for shape in shapes)
    if kind == "MatMul":
        return 2.0 * prod(output) * x[-1]
    if kind == "ConvolutionBackpropData":  # every input pixel meets the whole kernel
        return 2.0 * prod(x[2:]) * prod(weight)
    return 2.0 * prod(output) * prod(weight[2:] if kind == "GroupConvolution" else weight[1:])


def describe(onnx: Path, recipe: Recipe) -> Rows:
    """name, kind, shape of the output, mflop, bytes of weights, and us where OpenVINO runs it, in order.

    OpenVINO's rows are those of the stored engine as it is run, in which several layers of the network may be one.
    """
    nodes = {node.get_friendly_name(): node for node in openvino.Core().read_model(str(onnx)).get_ordered_ops()}
    if recipe.engine == "openvino":
        return _executed(nodes, store.folder_of(fingerprint(onnx), recipe) / f"engine{SUFFIX}", recipe)
    return [_row(name, node.get_type_name(), [node], None) for name, node in nodes.items() if flops(node)]


def peak(recipe: Recipe) -> float | None:
    """FLOP/s of the best case that OpenVINO knows: wide dense 3×3 convolutions, as the renderer is made of.

    None where it was not measured: other engines, and int8.
    """
    if recipe.engine != "openvino" or recipe.precision == "int8":
        return None
    channels, size, depth = 128, 64, 4
    kernel = np.random.default_rng(0).normal(0, 0.03, (channels, channels, 3, 3)).astype(np.float32)
    x = ops.parameter([1, channels, size, size], np.float32)
    y = x
    for _ in range(depth):
        y = ops.relu(ops.convolution(y, kernel, [1, 1], [1, 1], [1, 1], [1, 1]))
    request = openvino.Core().compile_model(openvino.Model([y], [x]), "CPU", settings(recipe)).create_infer_request()
    feed = {0: np.full((1, channels, size, size), 0.1, np.float32)}
    taken = []
    for _ in range(15):
        start = time.perf_counter()
        request.infer(feed, share_inputs=True)
        taken.append(time.perf_counter() - start)
    return depth * 2 * 9 * channels**2 * size**2 / float(np.median(taken[3:]))


def _executed(nodes: dict[str, openvino.Node], engine: Path, recipe: Recipe) -> Rows:
    compiled = openvino.Core().import_model(engine.read_bytes(), "CPU", {**settings(recipe), "PERF_COUNT": True})
    request = compiled.create_infer_request()
    feed = {i.get_any_name(): np.zeros(tuple(i.shape), i.element_type.to_dtype()) for i in compiled.inputs}
    for _ in range(PROFILED_RUNS):
        request.infer(feed)
    executed = compiled.get_runtime_model().get_ordered_ops()
    known = {name for node in executed for name in _origins(node)}
    # What a scale was folded into has lost its name; it still has its output's shape.
    nameless = [node for name, node in nodes.items() if flops(node) and name not in known]
    rows = []
    for node in executed:
        about = {key: value.astype(str) for key, value in node.get_rt_info().items()}
        kind = f"{about.get('layerType', node.get_type_name())} {about.get('runtimePrecision', '')}".strip()
        if kind.startswith(("Input", "Const", "Output")):
            continue
        times = about.get("execTimeMcs", "")
        members = [nodes[name] for name in _origins(node) if name in nodes]
        if kind.startswith("Convolution") and not any(map(flops, members)):
            shape = node.get_output_partial_shape(0)
            members += [other for other in nameless if other.get_output_partial_shape(0) == shape][:1]
        if not times.isdecimal() and not any(map(flops, members)):
            continue  # done away with when the network was compiled
        rows.append(_row(node.get_friendly_name(), kind, members, float(times) if times.isdecimal() else None, node))
    return rows


def _origins(node: openvino.Node) -> list[str]:
    """The layers of the network that were made into one."""
    about = node.get_rt_info()
    return str(about["originalLayersNames"].astype(str)).split(",") if "originalLayersNames" in about else []


def _row(
    name: str, kind: str, nodes: list[openvino.Node], us: float | None, shown: openvino.Node | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "shape": str((shown or nodes[0]).get_output_partial_shape(0)),
        "mflop": sum(map(flops, nodes)) / 1e6,
        "bytes": sum(_bytes(node.input_value(n).get_node()) for node in nodes for n in range(node.get_input_size())),
        "us": us,
    }


def _bytes(node: openvino.Node) -> int:
    """Of a constant input, seen through a change of type."""
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return int(node.get_byte_size()) if node.get_type_name() == "Constant" else 0
