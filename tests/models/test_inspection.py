"""What `inspect` tells."""

import numpy as np
import pytest

from models.inspection import inspected, speed_class
from models.puppet import Puppet

RATES = {500.0: "fast", 60.0: "smooth", 25.0: "live", 13.0: "slow", 3.0: "for files only"}


class Grey:
    """A renderer that draws grey."""

    def __call__(self, inputs):
        return {"rgb": np.full((1, 256, 256, 3), 99, np.uint8), "alpha": np.full((1, 256, 256, 1), 255, np.uint8)}

    def initial_state(self):
        return {}


@pytest.mark.parametrize(("rate", "name"), RATES.items())
def test_classes(rate, name):
    assert speed_class(rate) == name


def test_a_puppet_is_told_with_consent_sizes_and_speed():
    told = list(inspected(Puppet.bundled(), Grey()))
    by_name = dict(told)
    assert by_name["consent"] == "An invented character; nobody is shown."
    assert any("renderer.onnx" in value for name, value in told if name == "file")
    assert "ms a picture" in by_name["speed"]
