"""A part cut out of a network computes what the whole computes there."""

import numpy as np
import pytest

from models.downloads import tracker_networks
from models.errors import TrackingError
from models.face_mesh import _network
from models.tflite_graph import cut


@pytest.fixture(scope="module")
def model():
    try:
        return tracker_networks()["face_landmark_with_attention"].read_bytes()
    except TrackingError as error:
        pytest.skip(str(error))


def test_cutting_changes_lists_only(model):
    part = cut(model, ["input_1"], ["output_mesh"])
    assert len(part) == len(model)
    assert part != model


def test_two_parts_in_a_row_are_the_whole(model):
    def run(given, wanted, value):
        network = _network(cut(model, [given], [wanted]))
        network.setInput(value)
        return network.forward([wanted])[0]

    picture = np.random.default_rng(0).random((1, 3, 192, 192), np.float32)
    features = run("input_1", "p_re_lu_3", picture)
    assert features.shape == (1, 32, 48, 48)
    mesh = run("p_re_lu_3", "output_mesh", features)
    np.testing.assert_allclose(mesh, run("input_1", "output_mesh", picture), rtol=1e-3, atol=1e-3)


def test_unknown_tensors_and_too_many_are_refused(model):
    with pytest.raises(ValueError, match="nowhere"):
        cut(model, ["nowhere"], ["output_mesh"])
    with pytest.raises(ValueError, match="do not fit"):
        cut(model, ["input_1", "p_re_lu"], ["output_mesh"])
