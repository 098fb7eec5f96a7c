"""The rasterizer against its definition, and against what geometry says must hold."""

import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from covering import coverage, holes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from meshes import ict_head, see, sphere

import kernels
from kernels import reference
from kernels.coverage import NEAR
from kernels.rasterizer import Rasterizer
from kernels.shading import irradiance


def draw(vertices, triangles, height=16, width=16, cull=True, attributes=None, dtype=np.float32, background=0):
    """ids and picture of one draw; without attributes, the picture is depth."""
    vertices = np.asarray(vertices, np.float32)
    attributes = vertices[:, 2:].copy() if attributes is None else attributes
    rasterizer = Rasterizer(height, width, np.asarray(triangles, np.int32), cull)
    out = np.full((height, width, attributes.shape[1]), 7, dtype)
    rasterizer.draw(vertices, attributes, out, background)
    return rasterizer.ids.copy(), out


# Corners that are likely to meet: on pixel centres, on the picture's border, in shared places, far out and behind.
ON_GRID = st.integers(-8, 40).map(lambda half: half / 2)
PLACE = st.one_of(
    ON_GRID, st.floats(-40, 60, width=32, allow_subnormal=False), st.sampled_from([-3e5, 3e5, 2e6, 3e6, 1e30])
)
DEPTH = st.one_of(st.sampled_from([1.0, 50.0, 60.0, -5.0, NEAR, 0.0]), st.floats(0.5, 1000, width=32))


@settings(max_examples=300, deadline=None)
@given(
    corners=st.lists(st.tuples(PLACE, PLACE, DEPTH), min_size=3, max_size=9),
    faces=st.lists(st.tuples(*[st.integers(0, 8)] * 3), min_size=1, max_size=12),
    cull=st.booleans(),
)
def test_any_triangles_give_the_ids_of_the_reference(corners, faces, cull):
    vertices = np.array(corners, np.float32)
    triangles = np.array(faces, np.int32) % len(vertices)
    want, depth, _ = reference.draw(vertices, triangles, vertices[:, 2:], 13, 17, cull)
    ids, _ = draw(vertices, triangles, 13, 17, cull)
    np.testing.assert_array_equal(ids, want)
    np.testing.assert_array_equal(np.isfinite(depth), ids >= 0)


@pytest.mark.parametrize("reach", [0.3, 1, 3, 8, 16.01])
@pytest.mark.parametrize("seed", range(4))
def test_many_small_triangles_give_the_ids_of_the_reference(seed, reach):
    """On either side of what a block and a chunk of `scatter_cpu.py` hold, whole and cut, at equal depths."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-4, 64, (700, 1, 2)) + rng.uniform(-reach, reach, (700, 3, 2))
    corners = np.round(corners * 2) / 2 if seed % 2 else corners  # on pixels' centres and between them
    depths = rng.choice([50.0, 51, 0.1, 60], (700, 3, 1), p=[0.5, 0.3, 0.02, 0.18])
    vertices = np.concatenate([corners, depths], axis=2).reshape(-1, 3).astype(np.float32)
    triangles = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    want, _, _ = reference.draw(vertices, triangles, vertices[:, 2:], 53, 61, seed < 2)
    np.testing.assert_array_equal(draw(vertices, triangles, 53, 61, seed < 2)[0], want)


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("faces", [60, 1000, 6000])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 90)])
def test_a_head_is_drawn_as_the_reference_draws_it(faces, height, width, cull):
    points, triangles = sphere(faces)
    vertices = see(points, faces, height, width)
    attributes = np.random.default_rng(0).uniform(-0.2, 1.2, (len(points), 6)).astype(np.float32)
    want, _, picture = reference.draw(vertices, triangles, attributes, height, width, cull)
    ids, floats = draw(vertices, triangles, height, width, cull, attributes)
    np.testing.assert_array_equal(ids, want)
    np.testing.assert_allclose(floats, picture, atol=1e-5)
    ids, octets = draw(vertices, triangles, height, width, cull, attributes, np.uint8)
    np.testing.assert_array_equal(ids, want)
    exact = 255 * np.clip(picture, 0, 1)
    assert np.abs(octets - exact).max() <= 0.5 + 1e-3  # float32 may fall on the other side of a half


@settings(max_examples=60, deadline=None)
@example(seed=843, faces=35000, size=128)  # a fold
@given(seed=st.integers(0, 2**32 - 1), faces=st.sampled_from([300, 4000, 35000]), size=st.sampled_from([48, 128]))
def test_a_closed_surface_has_no_holes_and_covers_each_pixel_once_per_layer(seed, faces, size):
    points, triangles = sphere(faces)
    vertices = see(points, seed, size, size)
    front = coverage(vertices, triangles, True, np.zeros((size, size), np.int64))
    both = coverage(vertices, triangles, False, np.zeros((size, size), np.int64))
    inside = cv2.erode((front > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (front[inside] == 1).all()  # convex: one layer faces us; only at the outline can rounding fold it
    np.testing.assert_array_equal(both, 2 * front)  # and one turns its back, over exactly the same pixels
    assert holes(front > 0) == 0
    ids, _ = draw(vertices, triangles, size, size)
    np.testing.assert_array_equal(ids >= 0, front > 0)


ICT = Path(__file__).parents[3] / "shared/data/ict/ict_light.npz"


@pytest.mark.skipif(not ICT.exists(), reason=f"needs {ICT}")
def test_a_head_is_left_as_often_as_it_is_entered():
    """Of a closed surface, as many layers face us as turn their back: a crack or a pixel covered twice breaks that."""
    points, triangles = ict_head(ICT)
    for seed in range(5):
        vertices = see(points, seed, 128, 128)
        front = coverage(vertices, triangles, True, np.zeros((128, 128), np.int64))
        both = coverage(vertices, triangles, False, np.zeros((128, 128), np.int64))
        np.testing.assert_array_equal(both, 2 * front)
        assert holes(front > 0) == 0
        assert (front > 0).sum() > 1000


def test_holes_are_found():
    ring = np.ones((8, 9), bool)
    ring[3, 4:6] = ring[0, 0] = False  # the corner is outside
    assert holes(ring) == 2


@pytest.mark.parametrize("turn", range(4))
def test_a_square_of_two_triangles_through_pixel_centres_covers_each_centre_once(turn):
    corners = np.roll([(2.5, 2.5), (2.5, 8.5), (8.5, 8.5), (8.5, 2.5)], turn, axis=0)  # counter-clockwise with y up
    vertices = np.column_stack([corners, np.full(4, 50)]).astype(np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    counts = coverage(vertices, triangles, True, np.zeros((12, 12), np.int64))
    want = np.zeros((12, 12), np.int64)
    want[2:8, 2:8] = 1  # its top and left edges own the centres on them, its bottom and right edges do not
    np.testing.assert_array_equal(counts, want)


def test_the_front_is_counter_clockwise_with_y_up():
    front = [(2, 14, 50), (14, 14, 50), (2, 2, 50)]  # v points down: bottom left, bottom right, top left
    assert (draw(front, [[0, 1, 2]])[0] == 0).sum() > 50
    assert (draw(front, [[0, 2, 1]])[0] == -1).all()
    assert (draw(front, [[0, 2, 1]], cull=False)[0] == draw(front, [[0, 1, 2]])[0]).all()


def test_the_nearest_shows_and_at_equal_depth_the_lower_number():
    corners = [(-40, 60, 50), (60, 60, 50), (-40, -40, 50), (-40, 60, 40), (60, 60, 40), (-40, -40, 40)]
    assert set(draw(corners, [[0, 1, 2], [3, 4, 5], [3, 4, 5]])[0].ravel()) == {-1, 1}
    assert set(draw(corners, [[0, 1, 2], [0, 1, 2]])[0].ravel()) == {-1, 0}


def test_attributes_follow_perspective():
    # A plane that recedes to the right. Camera x is linear on it and projects back to the pixel's centre.
    camera = np.array([(-3.0, -6, 20), (5, -6, 60), (5, 9, 60), (-3, 9, 20)])
    vertices = camera.copy()
    vertices[:, :2] = 32 + 64 * camera[:, :2] / camera[:, 2:] * [1, -1]
    ids, out = draw(vertices, [[0, 1, 2], [0, 2, 3]], 64, 64, attributes=camera.astype(np.float32))
    rows, columns = np.nonzero(ids >= 0)
    assert len(rows) > 200
    x, y, z = out[rows, columns].T
    np.testing.assert_allclose(32 + 64 * x / z, columns + 0.5, atol=1 / 100)  # corners moved by up to 1/512 px
    np.testing.assert_allclose(32 - 64 * y / z, rows + 0.5, atol=1 / 100)


def test_a_batch_is_drawn_as_its_pictures_are():
    points, triangles = sphere(1000)
    vertices = np.stack([see(points, seed, 40, 30) for seed in range(3)])
    attributes = np.random.default_rng(0).random((3, len(points), 4), np.float32)
    together, out = Rasterizer(40, 30, triangles, batch=3), np.empty((3, 40, 30, 4), np.float32)
    for _ in range(2):
        together.draw(vertices, attributes, out)
    for image in range(3):
        ids, alone = draw(vertices[image], triangles, 40, 30, attributes=attributes[image])
        np.testing.assert_array_equal(together.ids[image], ids)
        np.testing.assert_array_equal(out[image], alone)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_light_falls_on_the_first_six_attributes(dtype):
    rng = np.random.default_rng(0)
    points, triangles = sphere(1000)
    vertices = see(points, 0, 40, 40)
    attributes = rng.random((len(points), 8), np.float32)
    attributes[:, 3:6] = 5 * points
    light = rng.uniform(-0.2, 0.3, (9, 3)).astype(np.float32)
    rasterizer, out = Rasterizer(40, 40, triangles), np.empty((40, 40, 5), dtype)
    rasterizer.draw(vertices, attributes, out, light=light)
    drawn = rasterizer.ids >= 0
    _, plain = draw(vertices, triangles, 40, 40, attributes=attributes)
    normal = plain[drawn][:, 3:6] / np.linalg.norm(plain[drawn][:, 3:6], axis=1, keepdims=True)
    shine = np.array([[irradiance(*n, light, channel) for channel in range(3)] for n in normal])
    want = np.concatenate([plain[drawn][:, :3] * shine, plain[drawn][:, 6:]], axis=1)
    if dtype == np.uint8:
        assert np.abs(out[drawn] - 255 * np.clip(want, 0, 1)).max() <= 0.5 + 1e-3
    else:
        np.testing.assert_allclose(out[drawn], want, atol=1e-5)


def test_every_run_is_the_same():
    points, triangles = sphere(8000)
    vertices = see(points, 3, 64, 64)
    attributes = np.random.default_rng(1).random((len(points), 3), np.float32)
    rasterizer, out = Rasterizer(64, 64, triangles), np.empty((64, 64, 3), np.float32)
    rasterizer.draw(vertices, attributes, out)
    first = out.tobytes(), rasterizer.ids.tobytes()
    for _ in range(1000):
        rasterizer.draw(vertices, attributes, out)
        assert (out.tobytes(), rasterizer.ids.tobytes()) == first


def test_the_next_draw_forgets_the_last_one():
    triangle = np.array([(2, 14, 50), (14, 14, 50), (2, 2, 50)], np.float32)
    rasterizer, out = Rasterizer(16, 16, np.array([[0, 1, 2]], np.int32)), np.empty((16, 16, 1), np.uint8)
    rasterizer.draw(triangle, np.ones((3, 1), np.float32), out)
    assert (out == 255).any()
    rasterizer.draw(triangle + np.float32([100, 0, 0]), np.ones((3, 1), np.float32), out, background=9)
    assert (rasterizer.ids == -1).all()
    assert (out == 9).all()


@pytest.mark.parametrize(
    "corners",
    {
        "zero area": [(2, 2, 50), (8, 8, 50), (14, 14, 50)],
        "a point": [(5, 5, 50)] * 3,
        "off the screen": [(102, 14, 50), (114, 14, 50), (102, 2, 50)],
        "between pixel centres": [(5.6, 5.9, 50), (5.9, 5.9, 50), (5.6, 5.6, 50)],
        "behind the camera": [(2, 14, -50), (14, 14, -50), (2, 2, -50)],
        "one corner behind": [(2, 14, 50), (14, 14, 50), (2, 2, -1)],
        "one corner in the camera": [(2, 14, 50), (14, 14, 50), (np.inf, -np.inf, 0)],
        "at the near limit": [(2, 14, NEAR), (14, 14, 50), (2, 2, 50)],
        "infinitely far": [(2, 14, np.inf), (14, 14, 50), (2, 2, 50)],
        "beyond the largest position": [(-3e6, 14, 50), (14, 14, 50), (2, 2, 50)],
    }.items(),
    ids=lambda case: case[0],
)
def test_what_is_not_drawn(corners):
    for cull in (True, False):
        assert (draw(corners[1], [[0, 1, 2]], cull=cull)[0] == -1).all()


def test_huge_triangles_meet_without_a_seam():
    big = 2_000_000
    square = [(-big, big, 50), (big, big - 1, 50), (big, -big, 50), (-big, 1 - big, 50)]
    counts = coverage(
        np.array(square, np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32), True, np.zeros((64, 64), np.int64)
    )
    assert (counts == 1).all()


def test_a_mesh_without_triangles_is_background():
    ids, out = draw(np.zeros((0, 3)), np.zeros((0, 3)), attributes=np.zeros((0, 2), np.float32), background=0.5)
    assert (ids == -1).all()
    assert (out == 0.5).all()


def test_drawing_allocates_nothing():
    points, triangles = sphere(2000)
    vertices = see(points, 0, 64, 64)
    rasterizer, out = Rasterizer(64, 64, triangles), np.empty((64, 64, 1), np.float32)
    attributes = np.ones((len(points), 1), np.float32)
    rasterizer.draw(vertices, attributes, out)
    tracemalloc.start()
    rasterizer.draw(vertices, attributes, out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4096  # the smallest buffer, one byte per pixel, would be as much


GOOD = {
    "vertices": np.ones((3, 3), np.float32),
    "attributes": np.ones((3, 2), np.float32),
    "out": np.ones((16, 16, 2), np.float32),
}
READ_ONLY = np.ones((16, 16, 2), np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("vertices", np.ones((3, 3)), "float64"),
        ("vertices", np.ones((3, 2), np.float32), r"\[3, 2\]"),
        ("vertices", np.ones((2, 3), np.float32), "names vertex 2"),
        ("vertices", np.ones((3, 6), np.float32)[:, ::2], "not C-contiguous"),
        ("vertices", [[1.0, 2.0, 3.0]] * 3, "list"),
        ("vertices", np.array([(1, 1, 1), (1, np.nan, 1), (1, 1, 1)], np.float32), r"\[1\] is .*nan"),
        ("attributes", np.ones((4, 2), np.float32), r"\[3, C\]"),
        ("attributes", np.ones(3, np.float32), r"\[3\]"),
        ("out", np.ones((16, 15, 2), np.float32), r"\[16, 16, 2\]"),
        ("out", np.ones((16, 16, 2), np.int8), "float32 or uint8"),
        ("out", READ_ONLY, "read-only"),
        ("stream", 5, "NumPy"),
        ("light", np.ones((9, 4), np.float32), r"\[9, 4\]"),
        ("attributes", np.ones((3, 2), np.float32), "for light"),
    ],
)
def test_a_wrong_argument_is_named(name, value, says):
    rasterizer = Rasterizer(16, 16, np.array([[0, 1, 2]], np.int32))
    with pytest.raises(ValueError, match=f"{name}.*{says}"):
        rasterizer.draw(
            **(GOOD | {name: value} | ({"light": np.ones((9, 3), np.float32)} if says == "for light" else {}))
        )
    assert (rasterizer.ids == -1).all()


class OnDevice:
    """Stands in for a CUDA array where there is no device."""

    def __init__(self, array, device=0):
        self.array, self.device = array, device
        self.__cuda_array_interface__ = array.__array_interface__


@pytest.fixture
def device(monkeypatch):
    """A CUDA backend that holds arrays and draws nothing, for what is checked before drawing."""
    backend = SimpleNamespace(
        current_device=lambda: 0,
        device_of=lambda array: array.device,
        to_host=lambda array: array.array,
        view=lambda array: array.array,
        Context=lambda *_: SimpleNamespace(draw=lambda *_: None),
    )
    monkeypatch.setitem(sys.modules, "kernels.cuda", backend)
    monkeypatch.setattr(kernels, "cuda", backend, raising=False)


TRIANGLES, LIGHT = np.array([[0, 1, 2]], np.int32), np.ones((9, 3), np.float32)
LIT = GOOD | {"attributes": np.ones((3, 6), np.float32), "out": np.ones((16, 16, 3), np.float32), "light": LIGHT}


@pytest.mark.parametrize("name", LIT)
def test_an_array_in_the_wrong_place_is_named(name, device):
    on_cpu, on_device = Rasterizer(16, 16, TRIANGLES), Rasterizer(16, 16, OnDevice(TRIANGLES))
    placed = {key: OnDevice(value) for key, value in LIT.items()}
    on_device.draw(**placed)
    with pytest.raises(ValueError, match=f"{name} is on CUDA device 1, expected 0"):
        on_device.draw(**placed | {name: OnDevice(LIT[name], device=1)})
    with pytest.raises(ValueError, match=f"{name} is a ndarray, expected a C-contiguous CUDA array"):
        on_device.draw(**placed | {name: LIT[name]})
    with pytest.raises(ValueError, match=f"{name} is a OnDevice, expected a C-contiguous NumPy array"):
        on_cpu.draw(**LIT | {name: placed[name]})


def test_triangles_on_another_device_are_named(device):
    with pytest.raises(ValueError, match="triangles is on CUDA device 1, expected 0"):
        Rasterizer(16, 16, OnDevice(TRIANGLES, device=1))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0, 16, np.zeros((1, 3), np.int32)), "height"),
        ((16, 20000, np.zeros((1, 3), np.int32)), "width"),
        ((16, 16, np.zeros((1, 3), np.int64)), "triangles"),
        ((16, 16, np.zeros((1, 4), np.int32)), "triangles"),
        ((16, 16, np.full((1, 3), -1, np.int32)), "triangles"),
        ((16, 16, np.zeros((1, 3), np.int32), True, 0), "batch"),
    ],
)
def test_a_wrong_mesh_is_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        Rasterizer(*arguments)


def test_a_wrong_batch_is_named():
    rasterizer = Rasterizer(16, 16, np.array([[0, 1, 2]], np.int32), batch=2)
    vertices, attributes, out = np.ones((2, 3, 3), np.float32), np.ones((2, 3, 1), np.float32), np.ones((2, 16, 16, 1))
    out = out.astype(np.float32)
    with pytest.raises(ValueError, match=r"vertices is float32 \[3, 3\]"):
        rasterizer.draw(vertices[0], attributes, out)
    with pytest.raises(ValueError, match=r"out is float32 \[1, 16"):
        rasterizer.draw(vertices, attributes, out[:1])
    vertices[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"vertices\[1, 2\] is .*nan"):
        rasterizer.draw(vertices, attributes, out)
    assert (rasterizer.ids == -1).all()
