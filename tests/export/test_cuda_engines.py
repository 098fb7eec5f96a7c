"""The engines of the CUDA family: the compilers are stand-ins that check their calls."""

import sys
import types

import numpy as np
import pytest
import torch
import toy_network

from export import choose, engine, parity, store
from export.choose import Wish
from export.engine import EngineError, Recipe
from export.onnxruntime_engine import OnnxRuntimeNetwork

DOCUMENTED = {"arg_inputs", "use_explicit_typing", "truncate_double", "min_block_size", "optimization_level",
              "workspace_size"}  # fmt: skip
"""Keywords of torch_tensorrt.dynamo.compile 2.13 that we use."""


@pytest.fixture(scope="module")
def onnx(tmp_path_factory):
    return toy_network.write_toy(tmp_path_factory.mktemp("puppet"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def inductor(monkeypatch):
    """A stand-in for AOTInductor, whose compiler takes a minute: it packs the program as it is."""

    def compile_and_package(program, *, package_path):
        assert isinstance(program, torch.export.ExportedProgram)
        assert package_path.endswith(".pt2")
        assert not program.tensor_constants, "these would lie in ordinary memory"
        torch.export.save(program, package_path)

    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", compile_and_package)
    monkeypatch.setattr(torch._inductor, "aoti_load_package", lambda path: torch.export.load(path).module())


@pytest.mark.parametrize(("name", "precision"), [("torch", "fp32"), ("torch", "bf16"), ("aotinductor", "fp32")])
def test_build_store_and_run_on_the_cpu(onnx, cache, inductor, name, precision):
    recipe = Recipe(name, precision)
    feeds, reference = toy_network.feeds(), toy_network.reference(onnx)
    _, figures = store.build(onnx, recipe, feeds, reference)
    assert figures.lower_face_psnr >= parity.PICTURE_PSNR[precision]
    again = store.load(onnx, recipe)
    assert again.initial_state() == {}
    assert np.abs(again(feeds[0])["rgb"].astype(int) - reference[0]["rgb"]).max() <= 4


def test_int8_is_not_for_torch(onnx, cache):
    with pytest.raises(EngineError, match="compute in fp32, fp16, bf16, not in int8"):
        store.build(onnx, Recipe("torch", "int8"), toy_network.feeds(), toy_network.reference(onnx))


@pytest.fixture
def tensorrt(monkeypatch):
    """A stand-in for torch_tensorrt, as documented: compile a program, save a module, load a program."""
    calls = []
    library = types.ModuleType("torch_tensorrt")
    library.__version__ = "2.13.0"

    def compile_program(program, **settings):
        assert isinstance(program, torch.export.ExportedProgram)
        assert settings.keys() == DOCUMENTED
        assert all(isinstance(tensor, torch.Tensor) for tensor in settings["arg_inputs"])
        calls.append("compile")
        return program.module()

    def save(module, file_path, *, output_format, arg_inputs):
        assert isinstance(module, torch.fx.GraphModule)
        assert isinstance(file_path, str)
        assert output_format == "exported_program"
        calls.append("save")
        torch.export.save(torch.export.export(module, tuple(arg_inputs)), file_path)

    def load(file_path):
        calls.append("load")
        return torch.export.load(file_path)

    library.dynamo = types.SimpleNamespace(compile=compile_program)
    library.save, library.load = save, load
    runtime = types.ModuleType("tensorrt")
    runtime.__version__ = "10.14.1"
    monkeypatch.setitem(sys.modules, "torch_tensorrt", library)
    monkeypatch.setitem(sys.modules, "tensorrt", runtime)
    monkeypatch.setattr(engine, "find_spec", lambda name: object())
    monkeypatch.delitem(sys.modules, "export.tensorrt_engine", raising=False)
    yield calls
    sys.modules.pop("export.tensorrt_engine", None)


@pytest.fixture
def on_the_cpu(monkeypatch):
    """The steps of TensorRT's adapter with tensors on the CPU, as there is no GPU."""
    from export import torch_engine

    module, example, network = torch_engine.module, torch_engine.example, torch_engine.TorchNetwork
    cpu = lambda recipe: Recipe(recipe.engine, "fp32", "cpu")  # noqa: E731
    monkeypatch.setattr(torch_engine, "module", lambda path, recipe: module(path, cpu(recipe)))
    monkeypatch.setattr(torch_engine, "example", lambda feed, recipe, form: example(feed, cpu(recipe), form))
    monkeypatch.setattr(torch_engine, "TorchNetwork", lambda run, recipe, form: network(run, cpu(recipe), form))
    monkeypatch.setattr(store, "describe", lambda device: {"name": "GPU", "capability": "9.0", "driver": "580.1"})
    monkeypatch.setattr(choose, "describe", lambda device: {"name": "GPU", "capability": "9.0", "driver": "580.1"})


RECIPE = Recipe("tensorrt", "fp16", "cuda", 1)


def test_tensorrt_is_called_as_documented(onnx, cache, on_the_cpu, tensorrt):
    feeds, reference = toy_network.feeds(), toy_network.reference(onnx)
    network, _ = store.build(onnx, RECIPE, feeds, reference)
    assert tensorrt == ["compile", "save", "load", "load"]
    assert np.abs(network(feeds[0])["rgb"].astype(int) - reference[0]["rgb"]).max() <= 1


def test_an_engine_of_another_tensorrt_is_refused(onnx, cache, on_the_cpu, tensorrt):
    store.build(onnx, RECIPE, toy_network.feeds(), toy_network.reference(onnx))
    sys.modules["tensorrt"].__version__ = "10.15.0"
    with pytest.raises(EngineError, match=r"library tensorrt 10\.14\.1, here it is 10\.15\.0"):
        store.load(onnx, RECIPE)


def test_tensorrt_needs_a_gpu(onnx, cache, tensorrt):
    with pytest.raises(EngineError, match="NVIDIA GPUs only"):
        store.build(onnx, Recipe("tensorrt"), toy_network.feeds(), toy_network.reference(onnx))


def test_without_tensorrt_and_compiler_plain_torch_draws(onnx, cache, on_the_cpu, tensorrt, monkeypatch):
    def fail(text):
        def failing(*_, **__):
            raise RuntimeError(text)

        return failing

    monkeypatch.setattr(sys.modules["torch_tensorrt"].dynamo, "compile", fail("libnvinfer.so.10: cannot open it"))
    monkeypatch.setattr(torch._inductor, "aoti_compile_and_package", fail("No C++ compiler"))
    told = []
    network = choose.renderer(onnx, Wish("cuda", "tensorrt"), toy_network.feeds, told.append)
    assert network(toy_network.feeds()[0])["rgb"].shape == (1, 16, 16, 3)
    assert told == [
        "tensorrt fp16 cannot be built: libnvinfer.so.10: cannot open it. Falling back on aotinductor.",
        "aotinductor fp16 cannot be built: No C++ compiler. Falling back on torch.",
    ]


def test_the_signature_is_the_files(onnx):
    signature = OnnxRuntimeNetwork(onnx, 1).signature()
    assert signature.inputs == {"photo": ("uint8", (1, 16, 16, 3)), "mask": ("uint8", (1, 16, 16, 1))}
    assert list(signature.outputs) == ["rgb", "alpha"]
