"""What a GPU draws is what the processor draws; here the same steps, one by one."""

import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

from export import footage, stage
from export.choose import Wish
from export.engine import FOR_VOICE, EngineError, load
from export.footage import AHEAD, Footage
from export.onnxruntime_engine import OnnxRuntimeNetwork
from export.portrait_graph import PortraitGraph, check
from export.recorded import expressions
from models.background import Background, bounce, write_background
from models.errors import PuppetError
from models.portrait import PaintedPortrait
from models.puppet import Puppet

CPU = torch.device("cpu")
LITTLE = 30 << 20
"""Bytes: slots for the frames that are made ready ahead, and not for all."""


@pytest.fixture(scope="module")
def puppet():
    return Puppet.bundled()


@pytest.fixture(scope="module")
def spoken(puppet):
    return expressions(puppet, 4, load(puppet.folder / "expression.onnx", FOR_VOICE))


@pytest.fixture(scope="module")
def painted(puppet):
    return PaintedPortrait(puppet, OnnxRuntimeNetwork(puppet.folder / "renderer.onnx", 1))


@pytest.mark.parametrize("capacity", [footage.BYTES, LITTLE])
def test_passes_the_check(puppet, spoken, painted, capacity):
    with closing(PortraitGraph(puppet, "fp32", "cpu", capacity)) as graph:
        check(puppet, graph, painted, spoken)
        first = graph(spoken[0], 0)
        kept = first.copy()
        graph(spoken[1], 1)
    np.testing.assert_array_equal(first, kept, "a picture is the caller's to keep")


def test_another_picture_is_refused(puppet, spoken, painted):
    still = spoken[0]
    with pytest.raises(EngineError, match=r"Picture 3 of the GPU is .* dB"):
        check(puppet, lambda expression, number: painted(still if number == 3 else expression, number), painted, spoken)


@pytest.mark.parametrize("numbers", [range(40), range(0, 300, 7), [0, 1, 2, 0, 1, 200, 3], range(735, 765)])
def test_a_slot_holds_the_frame_that_is_asked_for(puppet, numbers):
    with closing(Footage(puppet, CPU, LITTLE)) as slots, closing(background_of(puppet)) as background:
        assert len(slots.tensors["frames"]) < 40
        slots.start()
        for number in numbers:
            at = slots.slot(number)
            np.testing.assert_array_equal(slots.tensors["frames"][at], background.frame(number))
            np.testing.assert_array_equal(slots.tensors["crop"][at], puppet.track.crop[bounce(number, 750)])


def test_frames_that_fit_are_decoded_once(puppet, monkeypatch):
    short = replace(puppet, track=replace(puppet.track, **{name: getattr(puppet.track, name)[:20] for name in LISTS}))
    decoded = []
    of_frames = footage.Clip.of_frames
    monkeypatch.setattr(
        footage.Clip, "of_frames", lambda puppet, at, pictures: decoded.append(*at) or of_frames(puppet, at, pictures)
    )
    with closing(Footage(short, CPU)) as slots:
        slots.start()
        for number in range(100):
            slots.slot(number)
    assert sorted(decoded[1:]) == list(range(20))


def test_a_background_that_ends_early_is_said(puppet, tmp_path):
    with closing(background_of(puppet)) as background:
        write_background(tmp_path / "background.mp4", [background.frame(number) for number in range(30)], puppet.fps)
    with closing(Footage(replace(puppet, folder=tmp_path), CPU, LITTLE)) as slots:
        slots.start()
        with pytest.raises(PuppetError, match=r"background\.mp4 ends before frame"):
            for number in range(0, 750, AHEAD):
                slots.slot(number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_thread_that_failed(puppet, monkeypatch):
    with closing(Footage(puppet, CPU, LITTLE)) as slots:
        monkeypatch.setattr(slots, "_write", lambda slot, row: 1 / 0)
        slots.start()
        with pytest.raises(PuppetError, match=r"background\.mp4 cannot be decoded"):
            slots.slot(3)


def test_a_portrait_that_was_not_closed_does_not_keep_the_program():
    script = """
from export.portrait_graph import PortraitGraph
from models.puppet import Puppet
graph = PortraitGraph(Puppet.bundled(), "fp32", "cpu")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_without_a_gpu_the_sentence_says_so(puppet, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = []
    with pytest.raises(EngineError, match="--device cpu"):
        stage.puppeteer(puppet, 80, Wish("cuda"), said.append)
    assert "torch sees no CUDA device on this machine." in said[0]


def background_of(puppet):
    return Background(puppet.folder / "background.mp4", puppet.manifest.frames)


LISTS = ("rotation", "translation", "crop", "hole")
