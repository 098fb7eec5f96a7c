"""A frame in torch steps is the frame that the puppeteer draws, for one session and for several."""

import cv2
import numpy as np
import pytest
import torch

from export.clip import Clip
from export.engine import FOR_PICTURES, FOR_VOICE, EngineError, load
from export.frame_graph import FrameGraph
from export.geometry import faces_around
from export.recorded import HELLO
from models.portrait import PaintedPortrait
from models.puppet import Puppet
from models.puppeteer import Puppeteer
from models.video import read_sound
from models.voice_stream import VoiceStream

FRAMES = 5
START = 12_800


@pytest.fixture(scope="module")
def puppet():
    return Puppet.bundled()


@pytest.fixture(scope="module")
def clip(puppet):
    return Clip.of(puppet, FRAMES)


def play(graph, sound):
    """Frames of a stream that starts with `sound` [B, samples]."""
    graph.hear(sound[:, :640])
    count = sound.shape[1] // 640 - 1
    pieces = (sound[:, 640 * (n + 1) : 640 * (n + 2)] for n in range(count))
    return [graph.step(piece, [n] * len(sound)).copy() for n, piece in enumerate(pieces)]


@pytest.fixture(scope="module")
def sound():
    samples = read_sound(HELLO)
    return samples[None, START : START + 640 * (FRAMES + 1)]


def test_is_what_the_puppeteer_draws(puppet, clip, sound):
    stream = VoiceStream(load(puppet.folder / "expression.onnx", FOR_VOICE), 80)
    portrait = PaintedPortrait(puppet, load(puppet.folder / "renderer.onnx", FOR_PICTURES[1:]))
    puppeteer = Puppeteer(puppet, stream, portrait)
    graph = FrameGraph(puppet, clip, precision="fp32", device="cpu")
    state, heard = puppeteer.initial_state(), 0
    for n, picture in enumerate(play(graph, sound)):
        end = 640 * (n + 2)
        expected, state = puppeteer.step(sound[0, heard:end], state)
        heard = end
        moved = np.abs(expected.astype(int) - clip.frames[n]).max(2) > 0
        error = np.square(expected.astype(float) - picture[0])[moved].mean()
        assert moved.sum() > 5000
        assert 10 * np.log10(255**2 / error) > 45


def test_sessions_do_not_disturb_one_another(puppet, clip, sound):
    alone = play(FrameGraph(puppet, clip, precision="fp32", device="cpu"), sound)
    pair = np.concatenate([np.zeros_like(sound), sound])
    for one, both in zip(alone, play(FrameGraph(puppet, clip, 2, precision="fp32", device="cpu"), pair), strict=True):
        assert np.abs(one[0].astype(int) - both[1]).max() <= 2
        assert np.abs(one[0].astype(int) - both[0]).max() > 2


def test_what_the_compiler_is_given_is_the_same_frame(puppet, clip, sound, monkeypatch):
    traced = []
    monkeypatch.setattr(torch, "compile", lambda program, **_: traced.append(program) or program)
    plain = play(FrameGraph(puppet, clip, precision="fp32", device="cpu"), sound[:, : 640 * 3])
    fused = play(FrameGraph(puppet, clip, precision="fp32", device="cpu", fused=True), sound[:, : 640 * 3])
    assert len(traced) == 4, "voice, face model, blend mask, picture"
    assert np.abs(np.subtract(fused, plain, dtype=int)).max() <= 1, "sums are taken in another order"


def test_i420_is_the_picture_in_planes(puppet, clip, sound):
    picture = play(FrameGraph(puppet, clip, precision="fp32", device="cpu"), sound[:, : 640 * 2])[0][0]
    planes = play(FrameGraph(puppet, clip, precision="fp32", device="cpu", i420=True), sound[:, : 640 * 2])[0][0]
    np.testing.assert_array_equal(planes, cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420))


def test_starts_again(puppet, clip, sound):
    graph = FrameGraph(puppet, clip, precision="fp32", device="cpu")
    first = play(graph, sound)
    graph.reset()
    np.testing.assert_array_equal(play(graph, sound)[-1], first[-1])


def test_a_rate_without_whole_hops_is_refused(puppet, clip):
    class Film:
        fps = puppet.fps * 24 / 25

    with pytest.raises(EngineError, match=r"4\.166.* hops"):
        FrameGraph(Film(), clip, device="cpu")


def test_every_triangle_is_found_around_its_corners():
    triangles = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    assert faces_around(triangles, 5).tolist() == [[0, 2], [0, 1], [0, 1], [1, 2], [2, 2]]
