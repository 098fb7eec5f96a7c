"""Cases for the CUDA kernels, on a device or, as a program under NUMBA_ENABLE_CUDASIM=1, in Numba's simulator."""

import numpy as np
from meshes import see, sphere
from numba import cuda

import kernels.cpu
import kernels.cuda
from kernels import gradient_cpu, gradient_cuda, reference
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


def check_light(height: int, width: int, faces: int) -> None:
    """Attributes under light, against the CPU."""
    points, triangles = sphere(faces)
    rng = np.random.default_rng(0)
    vertices, light = see(points, 1, height, width)[None], rng.uniform(-0.2, 0.3, (1, 9, 3)).astype(np.float32)
    attributes = np.concatenate([rng.random((len(points), 3)), points, points], axis=1).astype(np.float32)[None]
    want, out = (np.full((1, height, width, 6), 7, np.float32) for _ in range(2))
    kernels.cpu.Context(1, height, width, triangles, True).draw(vertices, attributes, want, 0, light)
    vertices, attributes, out, light = map(cuda.to_device, (vertices, attributes, out, light))
    Context(1, height, width, triangles, True).draw(vertices, attributes, out, 0, light, 0)
    np.testing.assert_allclose(out.copy_to_host(), want, atol=1e-5)


def check_gradients(height: int, width: int, faces: int) -> None:
    """Interpolation, smoothing and their derivatives, against the CPU."""
    points, triangles = sphere(faces)
    rng = np.random.default_rng(0)
    vertices = see(points, 1, height, width)
    ids, _, _ = reference.draw(vertices, triangles, vertices, height, width)
    vertices = vertices.astype(float)
    attributes, picture, by = (
        rng.random((len(points), 2)),
        rng.random((height, width, 2)),
        rng.random((height, width, 2)),
    )
    beyond = rng.integers(-1, len(points), triangles.shape).astype(np.int32)
    mesh = ids, vertices, triangles
    for name, arrays in {
        "interpolate": (attributes, np.zeros_like(picture)),
        "interpolate_back": (attributes, by, np.zeros_like(vertices), np.zeros_like(attributes)),
        "smooth": (beyond, picture, picture.copy()),
        "smooth_back": (beyond, picture, by, np.zeros_like(vertices), by.copy()),
    }.items():
        on_device = [cuda.to_device(array) for array in (*mesh, *arrays)]
        getattr(gradient_cuda, name)(*on_device)
        getattr(gradient_cpu, name)(*mesh, *arrays)
        for have, want in zip(on_device[3:], arrays, strict=True):
            np.testing.assert_allclose(have.copy_to_host(), want, rtol=1e-9, atol=1e-9)


if __name__ == "__main__":
    cuda.as_cuda_array = lambda array: array  # the simulator has none
    kernels.cuda.THREADS, kernels.cuda.WARP, kernels.cuda.BLOCKS = 16, 4, 2  # each is a thread of the system
    check(12, 12, 30, batch=1)
    kernels.cuda.WARPS, kernels.cuda.SMALL_OF_FEW, kernels.cuda.LARGE = 0, 4, 64  # so that some are listed
    check(16, 16, 60)
    check_light(8, 8, 60)
    check_gradients(12, 12, 60)
    print("the same")
