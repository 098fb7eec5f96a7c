"""Vertex normals on shapes whose normals are known."""

import numpy as np
from meshes import sphere

from kernels.normals import vertex_normals


def test_a_sphere_points_outwards():
    points, triangles = sphere(4000)
    out = np.full(points.shape, 7, np.float32)
    vertex_normals((3 * points + 50).astype(np.float32), triangles, out)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, rtol=1e-5)
    assert (out * points).sum(axis=1).min() > 0.999


def test_larger_triangles_count_for_more_and_a_lonely_vertex_has_none():
    vertices = np.array([(0, 0, 0), (3, 0, 0), (0, 1, 0), (0, 0, 1), (9, 9, 9)], np.float32)
    out = np.empty_like(vertices)
    vertex_normals(vertices, np.array([(0, 1, 2), (0, 2, 3)], np.int32), out)
    np.testing.assert_allclose(out[0], np.array([1, 0, 3]) / 10**0.5, rtol=1e-6)  # areas 1/2 and 3/2
    np.testing.assert_allclose(out[1], (0, 0, 1))
    np.testing.assert_array_equal(out[4], 0)
