"""Software OpenGL (Mesa's llvmpipe, one thread) drawing what the rasterizer draws, to compare with.

Needs `pip install moderngl` and Mesa (Debian: libegl1 libgl1-mesa-dri). Eight attributes go into two float targets, up
to four bytes into one byte target, with a depth test; vertices go up and pictures come back for every frame, into the
caller's memory.
"""

import os
from functools import cache
from typing import Any

import numpy as np

os.environ.setdefault("LP_NUM_THREADS", "0")  # rasterize in the calling thread
os.environ.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")

VERTEX = """#version 330
uniform vec2 size;
in vec3 place; in vec4 first; in vec4 second;
out vec4 one; out vec4 two;
void main() {
    float z = place.z;
    gl_Position = vec4((2 * place.xy / size - 1) * z, z * (z - 30) / 90, z);  // 30 to 120 cm
    one = first; two = second;
}"""
FLOATS = """#version 330
in vec4 one; in vec4 two; layout(location=0) out vec4 a; layout(location=1) out vec4 b;
void main() { a = one; b = two; }"""
BYTES = """#version 330
in vec4 one; layout(location=0) out vec4 a;
void main() { a = one; }"""


@cache
def context() -> Any:
    """The one context of this process; raises whatever says why there is none."""
    import moderngl

    gl = moderngl.create_standalone_context(backend="egl")
    gl.enable(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
    gl.front_face = "cw"  # v grows downwards
    return gl


def missing() -> str:
    """Why there is no software OpenGL here; nothing if there is."""
    try:
        name = context().info["GL_RENDERER"]
    except Exception as error:  # noqa: BLE001 - it is a driver: anything can be wrong with it
        return f"{type(error).__name__}: {error}"
    return "" if "llvmpipe" in name else f"OpenGL is drawn by {name}"


class OpenGL:
    """One mesh at one size, as `Rasterizer`."""

    def __init__(self, size: int, triangles: np.ndarray, attributes: np.ndarray, dtype: type) -> None:
        gl = context()
        floats = dtype == np.float32
        values = np.zeros((len(attributes), 8), np.float32)
        values[:, : attributes.shape[1]] = attributes
        program = gl.program(vertex_shader=VERTEX, fragment_shader=FLOATS if floats else BYTES)
        program["size"] = (size, size)
        self._places = gl.buffer(reserve=12 * len(attributes))
        layout = (gl.buffer(values), "4f 4f", "first", "second") if floats else (
            gl.buffer(values), "4f 16x", "first"
        )  # fmt: skip
        self._mesh = gl.vertex_array(program, [(self._places, "3f", "place"), layout], gl.buffer(triangles))
        components = 4 if floats else attributes.shape[1]
        targets = [gl.texture((size, size), components, dtype="f4" if floats else "f1") for _ in range(1 + floats)]
        self._frame = gl.framebuffer(targets, gl.depth_renderbuffer((size, size)))
        self._kind = "f4" if floats else "f1"
        shape = (len(targets), size, size, components)
        self.out = np.empty(shape, dtype)

    def draw(self, vertices: np.ndarray) -> None:
        """Draw into `out` [targets, H, W, components], top row first."""
        self._places.write(vertices)
        self._frame.use()
        self._frame.clear()
        self._mesh.render()
        for target, out in enumerate(self.out):
            self._frame.read_into(out, components=out.shape[2], attachment=target, dtype=self._kind, alignment=1)
