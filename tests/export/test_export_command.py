"""python -m export: what it prints and writes, and how it refuses."""

import json
import subprocess
import sys

import pytest
import toy_network
from typer.testing import CliRunner

from export import __main__, layers, report
from export.choose import Wish
from export.engine import Recipe

runner = CliRunner()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--engine", "tflite"], "tflite is no engine"),
        (["--precision", "fp8"], "fp8 is no precision"),
        (["--device", "tpu"], "tpu is no device"),
    ],
)
def test_a_wrong_word_is_named(arguments, sentence):
    done = runner.invoke(__main__.app, ["models/bundled/jester", *arguments], terminal_width=200)
    assert done.exit_code == 2
    assert sentence in done.output


def test_no_puppet_there(tmp_path):
    done = subprocess.run([sys.executable, "-m", "export", str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"{tmp_path} is not a puppet: it has no puppet.json.\n")


def test_cuda_without_a_gpu_is_said():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = runner.invoke(__main__.app, ["models/bundled/jester", "--device", "cuda"])
    assert "torch sees no CUDA device here" in str(done.exception)


def test_figures_are_complete_and_ready_for_json(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    onnx = toy_network.write_toy(tmp_path)
    monkeypatch.setattr(report.recorded, "frames", lambda puppet, count: toy_network.feeds(count))
    monkeypatch.setattr(report, "voice", lambda puppet: [])

    class Puppet:
        folder = tmp_path

        class manifest:
            name = "toy"

    found = report.figures(Puppet, Wish(precision="fp32"), 4)
    report.write(found, tmp_path / "figures.json")
    assert json.loads((tmp_path / "figures.json").read_text()) == found
    rows = {row["engine"]: row for row in found["renderer"]}
    assert rows.keys() == {"openvino fp32", "onnxruntime fp32"}
    assert all(row["refused"] is None and row["p10"] <= row["p50"] <= row["p99"] for row in rows.values())
    assert found["kept"] == min(rows, key=lambda name: rows[name]["p50"])
    assert {"name", "capability", "driver", "load", "cores", "versions"} <= found["machine"].keys()
    assert layers.total(onnx) == 2 * 16 * 16 * 9 * (4 * 16 + 16 * 3)
    if found["floor_ms"]:  # measured for OpenVINO only
        assert found["floor_ms"] == pytest.approx(1000 * layers.total(onnx) / (1e9 * found["peak_gflops"]), abs=1e-3)


def test_layers_tell_what_they_compute_and_take(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    onnx = toy_network.write_toy(tmp_path)
    recipe = Recipe("openvino")
    layers.store.build(onnx, recipe, toy_network.feeds(), toy_network.reference(onnx))
    rows = layers.describe(onnx, recipe)
    assert sum(row["mflop"] for row in rows) == pytest.approx(layers.total(onnx) / 1e6)
    assert sum(row["us"] or 0 for row in rows) > 0
    assert [row["bytes"] for row in layers.describe(onnx, Recipe("torch"))] == [4 * 9 * 4 * 16, 4 * 9 * 16 * 3]
