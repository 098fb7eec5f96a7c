"""Cases for the CUDA kernels, on a device or, as a program under NUMBA_ENABLE_CUDASIM=1, in Numba's simulator."""

import numpy as np
from meshes import see, sphere
from numba import cuda

import kernels.cuda
from kernels import reference
from kernels.cuda import Context


def check(height: int, width: int, faces: int, batch: int = 2) -> None:
    """Draw some heads, some corners of which are behind the camera, and compare with the reference."""
    points, triangles = sphere(faces)
    vertices = np.stack([see(points, seed, height, width) for seed in range(1, batch + 1)])
    vertices[:, ::7, 2] *= -1
    vertices[:, 3] += [9 * width, -5 * height, 0]  # makes some triangles large
    attributes = np.random.default_rng(0).uniform(-0.2, 1.2, (batch, len(points), 3)).astype(np.float32)
    for cull in (True, False):
        context = Context(batch, height, width, triangles, cull)
        for dtype in (np.float32, np.uint8):
            out = cuda.to_device(np.full((batch, height, width, 3), 7, dtype))
            context.draw(cuda.to_device(vertices), cuda.to_device(attributes), out, 0, None, 0)
            for image in range(batch):
                ids, _, picture = reference.draw(vertices[image], triangles, attributes[image], height, width, cull)
                assert (ids >= 0).any()
                np.testing.assert_array_equal(context.ids.copy_to_host()[image], ids)
                bytes_are = 255 * np.clip(picture, 0, 1)
                exact, slack = (picture, 1e-5) if dtype == np.float32 else (bytes_are, 0.5 + 1e-3)
                assert np.abs(out.copy_to_host()[image] - exact).max() <= slack


if __name__ == "__main__":
    kernels.cuda.THREADS, kernels.cuda.BLOCKS = 16, 2  # the simulator starts them all as threads of the system
    check(16, 16, 60)
    print("the same")
