"""Every engine gives the same from the same file, and a missing one is said."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from export import engine, parity, recorded
from export.engine import FOR_PICTURES, FOR_VOICE, load
from export.onnx_file import write
from models.errors import InputError
from models.puppet import Puppet


class Echo(torch.nn.Module):
    """A network with a state: how much has come so far."""

    def forward(self, x: torch.Tensor, total: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * x, total + x.sum()


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "echo.onnx"
    write(Echo(), {"x": torch.zeros(3), "state.total": torch.zeros(1)}, ("y", "next_state.total"), path)
    return path


@pytest.mark.parametrize("engines", [FOR_PICTURES, FOR_VOICE], ids=lambda engines: engines[0])
def test_runs_with_its_state_outside(onnx: Path, engines: tuple[engine.Engine, ...]):
    network = load(onnx, engines)
    state = network.initial_state()
    assert {name: value.tolist() for name, value in state.items()} == {"state.total": [0]}
    first = network({"x": np.array([1, 2, 3], np.float32), **state})
    second = network({"x": np.array([4, 5, 6], np.float32), "state.total": first["next_state.total"]})
    assert first["y"].tolist() == [2, 4, 6], "the first call's output must outlive the second call"
    assert second["y"].tolist() == [8, 10, 12]
    assert second["next_state.total"].tolist() == [21]


def test_takes_the_engine_that_is_there(onnx: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: name == "onnxruntime" or None)
    assert type(load(onnx, FOR_PICTURES)).__name__ == "OnnxRuntimeNetwork"


def test_says_that_no_engine_is_there(onnx: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="None of openvino, onnxruntime is installed"):
        load(onnx, FOR_PICTURES)


@pytest.mark.parametrize("engines", [FOR_PICTURES, FOR_VOICE], ids=lambda engines: engines[0])
def test_libraries_tell_nobody(tmp_path: Path, engines: tuple[engine.Engine, ...]):
    script = f"""
from export.engine import load
from models.puppet import Puppet
load(Puppet.bundled().folder / "expression.onnx", {engines[:1]})
"""
    quiet = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=quiet | {"HOME": str(tmp_path)})
    assert list(tmp_path.rglob("*")) == [], "where libraries keep who you are, to send it"


def test_a_voice_network_is_not_rounded_in_any_engine():
    onnx = Puppet.bundled().folder / "expression.onnx"
    feeds = recorded.hops()[:200]
    here, there = (list(parity.run(load(onnx, (name,)), feeds)) for name in FOR_VOICE)
    assert max(np.abs(a["expression"] - b["expression"]).max() for a, b in zip(here, there, strict=True)) < 1e-5
