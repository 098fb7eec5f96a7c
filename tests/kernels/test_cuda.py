"""The CUDA kernels: in Numba's simulator anywhere, and on a device where there is one."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numba.cuda
import numpy as np
import pytest
from meshes import see, sphere

import kernels.cuda
from kernels.rasterizer import Rasterizer

ROOT = Path(__file__).parents[2]


def run(code: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in the checkout's root."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    everything = os.environ | {"PYTHONPATH": paths} | environment
    return subprocess.run([sys.executable, *code], cwd=ROOT, env=everything, capture_output=True, text=True)


def test_the_simulator_draws_what_the_reference_draws():
    done = run([str(Path(__file__).with_name("cuda_case.py"))], NUMBA_ENABLE_CUDASIM="1")
    assert done.stdout == "the same\n", done.stderr


def test_the_simulator_pastes_what_the_cpu_pastes():
    done = run([str(Path(__file__).with_name("composite_case.py"))], NUMBA_ENABLE_CUDASIM="1")
    assert done.stdout == "the same\n", done.stderr


def test_the_kernels_import_without_a_device():
    done = run(
        ["-c", "import kernels.cuda, kernels.composite_cuda, kernels.copy_cuda, kernels.rasterizer"],
        CUDA_VISIBLE_DEVICES="",
    )
    assert done.returncode == 0, done.stderr


def test_drawing_on_the_cpu_loads_no_cuda():
    done = run(["-c", "import sys, kernels.rasterizer; print('kernels.cuda' in sys.modules)"])
    assert done.stdout == "False\n", done.stderr


needs_device = pytest.mark.skipif(not numba.cuda.is_available(), reason="needs a CUDA device")


@needs_device
@pytest.mark.parametrize(("height", "width", "faces"), [(16, 16, 60), (37, 90, 1000), (256, 256, 6000)])
def test_a_device_draws_what_the_reference_draws(height, width, faces):
    import cuda_case

    cuda_case.check(height, width, faces)
    cuda_case.check_light(height, width, faces)
    cuda_case.check_gradients(height, width, faces)


@needs_device
def test_a_device_pastes_what_the_cpu_pastes():
    import composite_case

    composite_case.check(240, 320, 96, (1.0, 1.7, 0.6, 2.3))


@needs_device
@pytest.mark.parametrize("seed", range(20))
def test_a_device_gives_the_ids_of_the_cpu(seed):
    """Random sizes, batches and triangles, from less than a pixel to larger than the picture."""
    rng = np.random.default_rng(seed)
    height, width, batch, faces = (int(n) for n in rng.integers(1, (300, 300, 6, 3000)))
    corners = rng.uniform(-0.2, 1.2, (batch, faces, 1, 2)) + rng.normal(size=(batch, faces, 3, 2)) * 10 ** rng.uniform(
        -3, 0.5, (1, faces, 1, 1)
    )
    vertices = np.concatenate([corners * [width, height], rng.uniform(-5, 90, (batch, faces, 3, 1))], axis=3)
    vertices = vertices.reshape(batch, -1, 3).astype(np.float32)
    triangles = np.arange(3 * faces, dtype=np.int32).reshape(-1, 3)
    attributes, out = np.ones((batch, 3 * faces, 1), np.float32), np.empty((batch, height, width, 1), np.float32)
    on_cpu = Rasterizer(height, width, triangles, cull=bool(seed % 2), batch=batch)
    on_cpu.draw(vertices, attributes, out)
    to_device = numba.cuda.to_device
    on_device = Rasterizer(height, width, to_device(triangles), cull=bool(seed % 2), batch=batch)
    for _ in range(2):
        on_device.draw(to_device(vertices), to_device(attributes), to_device(out))
        np.testing.assert_array_equal(on_device.ids.copy_to_host(), on_cpu.ids)


@needs_device
def test_a_thousand_runs_of_a_pose_give_the_same_bits():
    """Triangles from less than a pixel to a third of the picture, so that threads meet in every way the kernel has."""
    points, triangles = sphere(70_000)
    vertices = np.concatenate([see(points, 1, 256, 256), see(points, 2, 256, 256) + np.float32(20)])
    vertices[::999, :2] += 80
    both = np.concatenate([triangles, triangles + len(points)])
    attributes = np.random.default_rng(0).random((len(vertices), 3)).astype(np.float32)
    arrays = on_device(vertices, attributes, np.zeros((256, 256, 3), np.float32))
    rasterizer = Rasterizer(256, 256, *on_device(both))
    rasterizer.draw(*arrays)
    ids, picture = rasterizer.ids.copy_to_host(), arrays[2].copy_to_host()
    assert (ids >= len(triangles)).any()
    for _ in range(1000):
        arrays[2].copy_to_device(np.zeros_like(picture))
        rasterizer.draw(*arrays)
        assert (rasterizer.ids.copy_to_host() == ids).all()
        assert (arrays[2].copy_to_host() == picture).all()


@needs_device
def test_drawing_is_captured_in_a_graph_with_pytorch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a PyTorch built for CUDA")
    points, triangles = sphere(2000)
    vertices = torch.from_numpy(see(points, 1, 64, 64)).cuda()
    rasterizer = Rasterizer(64, 64, torch.from_numpy(triangles).cuda())
    attributes, out = torch.ones(len(points), 2, device="cuda"), torch.empty(64, 64, 2, device="cuda")

    def work():
        rasterizer.draw(vertices + 1, attributes, out, stream=torch.cuda.current_stream().cuda_stream)
        return out.sum()

    want = work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        total = work()
    for _ in range(3):
        graph.replay()
        torch.cuda.synchronize()
        assert total == want > 100


def on_device(*arrays):
    return [numba.cuda.to_device(array) for array in arrays]


def small_head():
    """A rasterizer on the device, and what it draws."""
    points, triangles = sphere(1000)
    arrays = see(points, 1, 64, 64), np.ones((len(points), 2), np.float32), np.zeros((64, 64, 2), np.float32)
    return Rasterizer(64, 64, *on_device(triangles)), on_device(*arrays)


@needs_device
def test_drawing_allocates_nothing_on_the_device(monkeypatch):
    rasterizer, arrays = small_head()
    rasterizer.draw(*arrays)

    def refuse(*_):
        raise AssertionError("memory was allocated")

    monkeypatch.setattr(type(numba.cuda.current_context()), "memalloc", refuse)
    rasterizer.draw(*arrays)
    with pytest.raises(AssertionError):
        numba.cuda.device_array(1)


@needs_device
def test_small_pictures_give_no_advice_on_occupancy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rasterizer, arrays = small_head()
        rasterizer.draw(*arrays)


@needs_device
def test_an_array_on_another_device_is_named(monkeypatch):
    rasterizer, (vertices, attributes, out) = small_head()
    where = kernels.cuda.device_of
    assert where(out) == numba.cuda.get_current_device().id
    monkeypatch.setattr(kernels.cuda, "device_of", lambda array: where(array) + (array is attributes))
    with pytest.raises(ValueError, match="attributes is on CUDA device 1, expected 0"):
        rasterizer.draw(vertices, attributes, out)


@needs_device
def test_a_numpy_array_among_cuda_arrays_is_named():
    rasterizer = Rasterizer(16, 16, numba.cuda.to_device(np.array([[0, 1, 2]], np.int32)))
    with pytest.raises(ValueError, match="vertices is a ndarray, expected a C-contiguous CUDA array"):
        rasterizer.draw(np.ones((3, 3), np.float32), None, None)
