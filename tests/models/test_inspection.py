"""What `inspect` tells."""

import numpy as np
import pytest

from models.inspection import inspected, speed_class
from models.puppet import Puppet


@pytest.mark.parametrize(
    ("rate", "name"), [(500.0, "fast"), (60.0, "smooth"), (25.0, "live"), (13.0, "slow"), (3.0, "for files only")]
)
def test_classes(rate, name):
    assert speed_class(rate) == name


def test_a_puppet_is_told_with_consent_sizes_and_speed():
    def grey(_):
        return {"rgb": np.full((1, 256, 256, 3), 99, np.uint8), "alpha": np.full((1, 256, 256, 1), 255, np.uint8)}

    told = list(inspected(Puppet.bundled(), grey))
    by_name = dict(told)
    assert by_name["consent"] == "An invented character; nobody is shown."
    assert any("renderer.onnx" in value for name, value in told if name == "file")
    assert "ms a picture" in by_name["speed"]
