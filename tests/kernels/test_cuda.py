"""The CUDA kernels: in Numba's simulator anywhere, and on a device where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import numba.cuda
import numpy as np
import pytest

from kernels.rasterizer import Rasterizer

ROOT = Path(__file__).parents[2]


def run(code: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in the checkout's root."""
    everything = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run([sys.executable, *code], cwd=ROOT, env=everything, capture_output=True, text=True)


def test_the_simulator_draws_what_the_reference_draws():
    done = run([str(Path(__file__).with_name("cuda_case.py"))], NUMBA_ENABLE_CUDASIM="1")
    assert done.stdout == "the same\n", done.stderr


def test_the_kernels_import_without_a_device():
    done = run(["-c", "import kernels.cuda, kernels.rasterizer"], CUDA_VISIBLE_DEVICES="")
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


@needs_device
def test_a_numpy_array_among_cuda_arrays_is_named():
    rasterizer = Rasterizer(16, 16, numba.cuda.to_device(np.array([[0, 1, 2]], np.int32)))
    with pytest.raises(ValueError, match="vertices is a ndarray, expected a C-contiguous CUDA array"):
        rasterizer.draw(np.ones((3, 3), np.float32), None, None)
