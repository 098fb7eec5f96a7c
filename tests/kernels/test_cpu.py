"""What is particular to the CPU passes; what they draw is tested with the rasterizer."""

import numpy as np
from meshes import see, sphere

from kernels import cpu


def test_the_file_cache_knows_which_definition_it_compiled():
    points, triangles = sphere(60)
    context = cpu.Context(1, 8, 8, triangles, True)
    attributes, out = np.ones((1, len(points), 1), np.float32), np.empty((1, 8, 8, 1), np.float32)
    context.draw(see(points, 0, 8, 8)[None], attributes, out, 0, None)
    for kernel in (cpu.snap, cpu.scatter, cpu.resolver(1, False, False)):
        assert all(f"default={cpu.DEFINITION}" in str(signature) for signature in kernel.signatures)


def test_other_threads_run_meanwhile():
    for kernel in (cpu.snap, cpu.scatter, cpu.resolver(1, False, False)):
        assert kernel.targetoptions["nogil"]
