"""The renderer as a file: every engine gives what torch gives."""

import numpy as np
import pytest
import torch

from export.engine import load
from export.onnx_file import write_renderer
from models.renderer import build


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    torch.manual_seed(0)
    renderer = build("standard").eval()
    path = tmp_path_factory.mktemp("onnx") / "renderer.onnx"
    write_renderer(renderer, path)
    return renderer, path


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_engines_agree_with_torch(written, engine):
    renderer, path = written
    rng = np.random.default_rng(0)
    feed = {
        "face": rng.integers(0, 256, (1, 256, 256, 6), dtype=np.uint8),
        "photo": rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8),
        "mask": np.where(rng.random((1, 16, 16, 1)) < 0.5, 0, 255).repeat(16, 1).repeat(16, 2).astype(np.uint8),
    }
    with torch.no_grad():
        rgb, alpha = renderer(*(torch.from_numpy(array) for array in feed.values()))
    out = load(path, (engine,), 1)(feed)
    assert out["rgb"].dtype == out["alpha"].dtype == np.uint8
    assert np.abs(out["alpha"].astype(int) - alpha.numpy()).max() <= 2
    error = out["rgb"].astype(float) - rgb.numpy()
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 40  # bf16 gives 46 dB on fresh weights, fp32 55 or more


def test_one_small_file(written):
    path = written[1]
    assert [p.name for p in path.parent.iterdir()] == ["renderer.onnx"]
    assert path.stat().st_size < 11e6
