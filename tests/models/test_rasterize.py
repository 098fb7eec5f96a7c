"""Gradients of the rasterizer against finite differences, and what they are for: pulling a shape into place."""

import numpy as np
import pytest
import torch

from kernels import reference
from models.rasterize import Surface, opposite

# An octahedron, seen from the front: convex, closed, every edge twice.
POINTS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float)
TRIANGLES = np.array([(4, 0, 2), (4, 2, 1), (4, 1, 3), (4, 3, 0), (5, 2, 0), (5, 1, 2), (5, 3, 1), (5, 0, 3)], np.int32)
SIZE = 24


def placed(turn=0.3, scale=9.0, centre=(12.13, 11.87)):
    """The octahedron on the screen, float64 [6, 3]: turned and with perspective."""
    c, s = np.cos(turn), np.sin(turn)
    x, y, z = np.array([[c, 0.1, s], [-0.1, 1, 0.2], [-s, -0.2, c]]) @ POINTS.T
    depth = 6 - z
    return torch.tensor(np.stack([centre[0] + 6 * scale * x / depth, centre[1] - 6 * scale * y / depth, depth], 1))


def slopes(function, at, places):
    """Central differences of a scalar function by some numbers of a tensor."""
    result = []
    for place in places:
        step = torch.zeros_like(at)
        step.view(-1)[place] = 1e-6
        result.append((function(at + step) - function(at - step)) / 2e-6)
    return torch.stack(result)


def test_it_shows_what_the_reference_draws():
    vertices, attributes = placed(), torch.rand(6, 3, dtype=torch.float64, generator=torch.manual_seed(0))
    surface = Surface(SIZE, SIZE, TRIANGLES)
    ids = surface.ids(vertices)
    seen, colour = vertices.float().numpy(), attributes.float().numpy()
    want, _, picture = reference.draw(seen, TRIANGLES, colour, SIZE, SIZE)
    np.testing.assert_array_equal(ids, want)
    assert (want >= 0).sum() > 50
    np.testing.assert_allclose(surface.interpolate(ids, vertices, attributes), picture, atol=2e-3)  # 1/512 px


def test_interpolation_has_the_gradient_of_finite_differences():
    generator = torch.manual_seed(1)
    surface, vertices = Surface(SIZE, SIZE, TRIANGLES), placed()
    ids = surface.ids(vertices)
    attributes = torch.rand(6, 2, dtype=torch.float64, generator=generator)
    weight = torch.rand(SIZE, SIZE, 2, dtype=torch.float64, generator=generator)

    def by_vertices(v):
        return (surface.interpolate(ids, v, attributes) * weight).sum()

    def by_attributes(a):
        return (surface.interpolate(ids, vertices, a) * weight).sum()

    for function, at in ((by_vertices, vertices), (by_attributes, attributes)):
        leaf = at.clone().requires_grad_()
        function(leaf).backward()
        want = slopes(function, at, range(at.numel()))
        assert want.abs().max() > 0.1
        torch.testing.assert_close(leaf.grad.view(-1), want, rtol=1e-5, atol=1e-6)


def test_gradients_do_not_depend_on_the_memory_layout():
    surface, results = Surface(SIZE, SIZE, TRIANGLES), []
    for layout in (lambda array: array, lambda array: array.T.contiguous().T):
        vertices, attributes = (layout(placed()).requires_grad_() for _ in range(2))
        ids = surface.ids(vertices)
        picture = surface.smooth(ids, vertices, surface.interpolate(ids, vertices, attributes))
        (picture.permute(2, 0, 1) ** 2).sum().backward()
        results.append((picture, vertices.grad, attributes.grad))
    assert results[0][1].abs().max() > 1
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.1])
def test_smoothing_has_the_gradient_of_finite_differences(turn):
    generator = torch.manual_seed(2)
    surface, vertices = Surface(SIZE, SIZE, TRIANGLES), placed(turn)
    ids = surface.ids(vertices)
    picture = torch.rand(SIZE, SIZE, 2, dtype=torch.float64, generator=generator)
    weight = torch.rand(SIZE, SIZE, 2, dtype=torch.float64, generator=generator)

    def by_vertices(v):
        return (surface.smooth(ids, v, picture) * weight).sum()

    def by_picture(p):
        return (surface.smooth(ids, vertices, p) * weight).sum()

    for function, at, places in ((by_vertices, vertices, range(18)), (by_picture, picture, range(0, 1152, 7))):
        leaf = at.clone().requires_grad_()
        function(leaf).backward()
        want = slopes(function, at, places)
        assert want.abs().max() > 0.1
        torch.testing.assert_close(leaf.grad.view(-1)[list(places)], want, rtol=1e-5, atol=1e-6)


def test_a_soft_silhouette_keeps_its_area_when_it_moves():
    surface, hard, soft = Surface(SIZE, SIZE, TRIANGLES), [], []
    for shift in np.linspace(0, 1, 21):
        vertices = placed(0.0, 8.0, (11.5 + shift, 12.2))
        ids = surface.ids(vertices)
        mask = (ids >= 0).double()[..., None]
        hard.append(float(mask.sum()))
        soft.append(float(surface.smooth(ids, vertices, mask).sum()))
    u, v = vertices[[0, 2, 1, 3], :2].T
    area = float(0.5 * (u * v.roll(-1) - v * u.roll(-1)).sum().abs())
    assert np.abs(np.array(soft) - area).max() < 0.01 * area  # corners are cut a little
    assert np.std(soft) < np.std(hard) / 3


def test_only_outlines_are_smoothed():
    surface, vertices = Surface(SIZE, SIZE, TRIANGLES), placed()
    ids = surface.ids(vertices)
    picture = torch.rand(SIZE, SIZE, 1, dtype=torch.float64, generator=torch.manual_seed(3))
    changed = (surface.smooth(ids, vertices, picture) != picture)[..., 0].numpy()
    covered = np.pad(ids.numpy() >= 0, 1)
    around = [covered[1 + y : SIZE + 1 + y, 1 + x : SIZE + 1 + x] for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    rim = np.any([a != covered[1:-1, 1:-1] for a in around], axis=0)
    assert changed.any()
    assert not changed[~rim].any()


def test_a_contour_pulls_a_shape_into_place():
    surface = Surface(SIZE, SIZE, TRIANGLES)

    def mask(vertices):
        ids = surface.ids(vertices)
        return surface.smooth(ids, vertices, (ids >= 0).to(vertices.dtype)[..., None])

    want, start = mask(placed()), placed()
    shift = torch.tensor([2.3, -1.7, 0.0], dtype=torch.float64, requires_grad=True)
    descent = torch.optim.Adam([shift], lr=0.2)
    for _ in range(60):
        descent.zero_grad()
        ((mask(start + shift) - want) ** 2).sum().backward()
        descent.step()
    assert shift[:2].abs().max() < 0.05


def test_opposite_vertices():
    table = opposite(np.array([(0, 1, 2), (2, 1, 3)], np.int32))
    np.testing.assert_array_equal(table, [(3, -1, -1), (-1, -1, 0)])
    assert (opposite(TRIANGLES) >= 0).all()
