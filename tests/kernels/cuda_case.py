"""One case for the CUDA kernels, on a device or, as a program under NUMBA_ENABLE_CUDASIM=1, in Numba's simulator."""

import numpy as np
from meshes import see, sphere
from numba import cuda

from kernels import reference
from kernels.cuda import Context


def check(height: int, width: int, faces: int) -> None:
    """Draw a head, some corners of which are behind the camera, and compare with the reference."""
    points, triangles = sphere(faces)
    vertices = see(points, 1, height, width)
    vertices[::7, 2] *= -1
    attributes = np.random.default_rng(0).uniform(-0.2, 1.2, (len(points), 3)).astype(np.float32)
    for cull in (True, False):
        ids, _, picture = reference.draw(vertices, triangles, attributes, height, width, cull)
        assert (ids >= 0).any()
        context = Context(height, width, triangles, cull)
        for dtype, exact, slack in (
            (np.float32, picture, 1e-5),
            (np.uint8, 255 * np.clip(picture, 0, 1), 0.5 + 1e-3),
        ):
            out = cuda.to_device(np.full((height, width, 3), 7, dtype))
            context.draw(cuda.to_device(vertices), cuda.to_device(attributes), out, 0, 0)
            np.testing.assert_array_equal(context.ids.copy_to_host(), ids)
            assert np.abs(out.copy_to_host() - exact).max() <= slack


if __name__ == "__main__":
    cuda.as_cuda_array = lambda array: array  # the simulator has none
    check(16, 16, 60)
    print("the same")
