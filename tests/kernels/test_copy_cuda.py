"""Rectangles of pictures arrive in the host's memory, and nothing beside them. Needs a GPU."""

import numba.cuda
import numpy as np
import pytest

from kernels.copy_cuda import to_host

pytestmark = pytest.mark.skipif(not numba.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("shape", [(1, 40, 96), (3, 40, 96)])
def test_a_rectangle_of_each_picture_arrives(shape):
    pictures = np.random.default_rng(0).integers(1, 256, shape, np.uint8)
    device, host = numba.cuda.to_device(pictures), numba.cuda.pinned_array(shape, np.uint8)
    host[:] = 0
    stream, part = numba.cuda.stream(), np.s_[:, 10:20, 12:60]
    to_host(device[part], host[part], int(stream))
    stream.synchronize()
    expected = np.zeros_like(pictures)
    expected[part] = pictures[part]
    np.testing.assert_array_equal(host, expected)
