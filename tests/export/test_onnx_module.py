"""A puppet's ONNX files as torch modules: the same outputs as ONNX Runtime, and graphs that torch.export takes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import toy_network

from export import parity, recorded
from export.engine import Recipe
from export.onnx_file import write
from export.onnx_module import OnnxModule
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.torch_engine import TorchNetwork
from models.errors import InputError
from models.renderer import UNet256

JESTER = Path("models/bundled/jester")


def in_torch(path, precision="fp32"):
    signature = OnnxRuntimeNetwork(path, 1).signature()
    return TorchNetwork(OnnxModule(path), Recipe("torch", precision), signature)


def test_the_voice_network_streams_the_same():
    feeds = recorded.hops()[:200]
    path = JESTER / "expression.onnx"
    figures = parity.compare(list(parity.run(OnnxRuntimeNetwork(path, 1), feeds)), in_torch(path), feeds)
    assert figures.relative < 1e-5
    assert figures.fault("fp32") is None


def test_pieces_of_any_length_may_come():
    path = JESTER / "expression.onnx"
    network = in_torch(path)
    feed = {"look_ahead": np.array(1), **network.initial_state()}
    for hops in (1, 7):
        out = network({"samples": np.zeros((1, 160 * hops), np.float32), **feed})
        assert out["expression"].shape == (hops, 48)


def test_the_renderer_draws_the_same():
    path = JESTER / "renderer.onnx"
    rng = np.random.default_rng(0)
    feed = {
        name: rng.integers(0, 256, (1, 256, 256, channels), dtype=np.uint8)
        for name, channels in (("face", 6), ("photo", 3), ("mask", 1))
    }
    expected, drawn = OnnxRuntimeNetwork(path, 1)(feed), in_torch(path)(feed)
    for name in ("rgb", "alpha"):
        assert np.abs(drawn[name].astype(int) - expected[name]).max() <= 1


def test_a_unet_draws_the_same(tmp_path):
    """Strided and transposed convolutions, batch normalisation."""
    path = tmp_path / "unet.onnx"
    torch.manual_seed(0)
    write(UNet256(10, width=4), {"x": torch.zeros(1, 10, 256, 256)}, ("rgb",), path)
    feed = {"x": np.random.default_rng(0).normal(size=(1, 10, 256, 256)).astype(np.float32)}
    np.testing.assert_allclose(in_torch(path)(feed)["rgb"], OnnxRuntimeNetwork(path, 1)(feed)["rgb"], atol=1e-4)


def test_torch_export_sees_only_tensors():
    module = OnnxModule(JESTER / "expression.onnx")
    inputs = [torch.zeros(tuple(size or 1 for size in module.shapes[name])) for name in module.inputs]
    inputs[module.inputs.index("samples")] = torch.zeros(1, 640)
    inputs[module.inputs.index("look_ahead")] = torch.tensor(2)
    module.eval()(*inputs)  # its constants are there from now on
    program = torch.export.export(module, tuple(inputs))
    assert program.module()(*inputs)[0].shape == (4, 48)


def test_arithmetic_is_in_the_precision_asked_for(tmp_path):
    path = toy_network.write_toy(tmp_path)
    module = OnnxModule(path, torch.bfloat16)
    assert {buffer.dtype for buffer in module.buffers()} == {torch.bfloat16}
    feeds = toy_network.feeds()
    network = TorchNetwork(module, Recipe("torch", "bf16"), OnnxRuntimeNetwork(path, 1).signature())
    figures = parity.compare(toy_network.reference(path), network, feeds)
    assert figures.fault("bf16") is None
    assert 40 < figures.picture_psnr < 60, "the digits that are gone must show"


def test_an_unknown_operator_is_named(tmp_path):
    class Sorted(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sort(x).values

    path = tmp_path / "sorted.onnx"
    write(Sorted(), {"x": torch.zeros(4)}, ("y",), path)
    assert any(node.op_type == "TopK" for node in onnx.load(path).graph.node)
    with pytest.raises(InputError, match="uses TopK, which the torch engines do not know"):
        OnnxModule(path)
