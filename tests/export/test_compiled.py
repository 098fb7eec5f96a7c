"""What the compiler is given: the same numbers, and nothing that lies in ordinary memory."""

import numpy as np
import pytest
import torch

from export.compiled import traced
from export.engine import Recipe
from export.torch_engine import module
from models.puppet import Puppet

SIZES = {"samples": (1, 640), "look_ahead": ()}


@pytest.fixture(scope="module")
def folder():
    return Puppet.bundled().folder


def inputs_of(network, batch, device="cpu"):
    """Random inputs with a batch axis."""
    rng = np.random.default_rng(0)
    for name in network.inputs:
        shape = (batch, *SIZES.get(name, network.shapes[name]))
        if name == "look_ahead":
            yield torch.tensor(2, device=device)
        elif name in ("face", "photo", "mask"):
            yield torch.tensor(rng.integers(0, 256, shape, np.uint8), device=device)
        else:
            yield torch.tensor(rng.normal(0, 0.1, shape).astype(np.float32), device=device)


def each(network):
    """What of its inputs has a batch axis."""
    return tuple(None if name == "look_ahead" else 0 for name in network.inputs)


def constants(program):
    return [getattr(program, node.target) for node in program.graph.nodes if node.op == "get_attr"]


@pytest.mark.parametrize("name", ["expression", "renderer"])
def test_all_constants_are_where_the_inputs_are(folder, name):
    """The meta device, which computes nothing, stands for a GPU."""
    network = module(folder / f"{name}.onnx", Recipe("torch")).to("meta")
    program = traced(torch.vmap(network, each(network)), *inputs_of(network, 2, "meta"))
    assert {constant.device.type for constant in constants(program)} == {"meta"}
    assert not [node for node in program.graph.nodes if "lift_fresh" in str(node.target)]


@pytest.mark.parametrize("batch", [1, 3])
def test_the_voice_has_no_convolutions_left_and_gives_the_same(folder, batch):
    network = module(folder / "expression.onnx", Recipe("torch"))
    given = list(inputs_of(network, batch))
    step = torch.vmap(network, each(network))
    program = traced(step, *given)
    assert not [node for node in program.graph.nodes if "convolution" in str(node.target)]
    for expected, found in zip(step(*given), program(*given), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_of_an_output_only_what_it_needs_is_run(folder):
    share = module(folder / "renderer.onnx", Recipe("torch"), ["alpha"])
    assert (share.inputs, share.outputs) == (["mask"], ["alpha"])
    whole = module(folder / "renderer.onnx", Recipe("torch"))
    given = [tensor[0] for tensor in inputs_of(whole, 1)]
    assert torch.equal(share(given[2])[0], whole(*given)[1])


def test_convolutions_join_what_follows_them(folder):
    plain = module(folder / "renderer.onnx", Recipe("torch"))
    network = module(folder / "renderer.onnx", Recipe("torch")).join()
    given = list(inputs_of(network, 2))
    step = torch.vmap(network)
    program = traced(step, *given)
    joined = [node for node in program.graph.nodes if node.target is torch.ops.marotte.convolve.default]
    assert len(joined) == 22, "all but that of the blend mask"
    pictures = [node for node in program.graph.nodes if "shuffle" in str(node.target)]
    assert len(pictures) == 3, "two for the picture, after the last convolution, and one for the blend mask"
    for expected, *found in zip(torch.vmap(plain)(*given), step(*given), program(*given), strict=True):
        for picture in found:
            assert np.abs(picture.numpy().astype(int) - expected.numpy()).max() <= 1
