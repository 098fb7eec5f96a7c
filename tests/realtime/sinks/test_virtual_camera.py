"""The virtual camera, through a backend registered with pyvirtualcam."""

import asyncio
import os
import sys
import threading
from fractions import Fraction
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest
from fakes import ListSource, LoudnessAnimator, read_number, voice

from realtime.errors import DeviceError, SinkLost
from realtime.loop import run
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks import loopback, virtual_camera
from realtime.sinks.virtual_camera import VirtualCamera

pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="needs the extra 'camera'")


class Backend:
    """A camera that keeps what it was sent."""

    opened: "ClassVar[list[Backend]]"
    fails = ""

    def __init__(self, *, width, height, fps, fourcc, device):
        if Backend.fails:
            raise RuntimeError(Backend.fails)
        self.size, self.fps, self.fourcc, self.name = (width, height), fps, fourcc, device or "Fake Camera"
        self.sent, self.closed = [], False
        Backend.opened.append(self)

    def send(self, frame):
        if self.fails:
            raise RuntimeError(self.fails)
        self.sent.append(frame.copy())

    def close(self):
        self.closed = True

    def device(self):
        return self.name

    def native_fourcc(self):
        return self.fourcc


@pytest.fixture(autouse=True)
def backend(monkeypatch):
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    pyvirtualcam.register_backend("fake", Backend)
    monkeypatch.setattr(Backend, "opened", [], raising=False)
    monkeypatch.setattr(Backend, "fails", "")
    monkeypatch.setattr(virtual_camera, "cameras", list)
    return Backend


def seen(planes, width, height):
    return cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2RGB_I420)


async def test_a_program_sees_every_picture_in_its_colours(backend):
    await run(ListSource(voice(1)), LoudnessAnimator(size=(64, 48)), [VirtualCamera()], live=False)
    (camera,) = backend.opened
    assert (camera.size, camera.fps, camera.closed) == ((64, 48), 25.0, True)
    assert camera.fourcc == pyvirtualcam.util.encode_fourcc("I420")
    assert [read_number(seen(planes, 64, 48)) for planes in camera.sent] == list(range(25))
    np.testing.assert_allclose(seen(camera.sent[-1], 64, 48)[20, 20], [30, 30, 30], atol=3)


async def test_odd_sizes_lose_a_row_and_a_column(backend):
    announced = []
    camera = VirtualCamera("Other", announced.append)
    await camera.open(StreamSpec(33, 17, 25))
    await camera.show(VideoFrame(np.full((17, 33, 3), 200, np.uint8), 0), AudioChunk(np.zeros(640, np.float32), 0))
    assert announced == ["Other"]
    assert seen(backend.opened[0].sent[0], 32, 16).mean() == pytest.approx(200, abs=2)
    camera.abort()
    assert backend.opened[0].closed


async def test_the_loop_runs_on_while_a_picture_is_sent(backend):
    camera, went_round = VirtualCamera(), threading.Event()
    await camera.open(StreamSpec(64, 48, 25))
    backend.opened[0].send = lambda frame: went_round.wait(10) or pytest.fail("the loop stood still")
    showing = asyncio.create_task(
        camera.show(VideoFrame(np.zeros((48, 64, 3), np.uint8), 0), AudioChunk(np.zeros(640, np.float32), 0))
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert not showing.done()
    went_round.set()
    await showing
    await camera.close()


@pytest.mark.parametrize(
    "reason", ["No v4l2 loopback device found at /dev/video[0-99].", "Device /dev/video0 is already in use."]
)
async def test_no_camera_is_one_sentence_with_advice(backend, reason, monkeypatch):
    monkeypatch.setattr(backend, "fails", reason)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DeviceError, match=r"Cannot open a virtual camera .*sudo modprobe v4l2loopback") as caught:
        await VirtualCamera().open(StreamSpec(64, 48, 25))
    assert reason.rstrip(".") in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DeviceError, match="the virtual camera /dev/video7 "):
        await VirtualCamera("/dev/video7").open(StreamSpec(64, 48, 25))


@pytest.mark.parametrize(
    ("device", "present", "sentence"),
    [
        (None, [], r"There is no virtual camera: load one with: sudo modprobe v4l2loopback .*\.$"),
        ("/dev/video7", [], r"There is no virtual camera /dev/video7: load one with: sudo modprobe"),
        ("/dev/video7", ["/dev/video0 (Marotte)"], r"camera /dev/video7: choose among /dev/video0 \(Marotte\)"),
    ],
)
def test_a_missing_camera_is_told_before_a_puppet_is_loaded(monkeypatch, device, present, sentence):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(virtual_camera, "cameras", lambda: present)
    monkeypatch.setattr(virtual_camera.Path, "exists", lambda path: False)
    with pytest.raises(DeviceError, match=sentence):
        virtual_camera.check(device)


def test_a_camera_that_is_there_passes(monkeypatch, tmp_path):
    monkeypatch.setattr(virtual_camera, "cameras", lambda: ["/dev/video0 (Marotte)"])
    virtual_camera.check(None)
    virtual_camera.check(str(tmp_path))


async def test_a_camera_that_is_there_but_refuses_is_not_to_be_loaded(backend, monkeypatch):
    monkeypatch.setattr(backend, "fails", "Device /dev/video0 is not a video output device.")
    monkeypatch.setattr(virtual_camera, "cameras", lambda: ["/dev/video0 (Marotte)"])
    with pytest.raises(DeviceError, match=r"output device\): there is /dev/video0 \(Marotte\), and whatever sends to"):
        await VirtualCamera().open(StreamSpec(64, 48, 25))
    monkeypatch.setattr(backend, "fails", "No v4l2 loopback device found at /dev/video[0-99]. Did you run 'modprobe'?")
    with pytest.raises(DeviceError, match=r"^Cannot open a virtual camera: there is /dev/video0 \(Marotte\), and"):
        await VirtualCamera().open(StreamSpec(64, 48, 25))


@pytest.fixture
def driver(backend, monkeypatch, tmp_path):
    """What v4l2loopback is told, by request; `size` is that of the camera, `refuses` makes it refuse everything."""
    fcntl = pytest.importorskip("fcntl", reason="the driver is Linux's")
    device = tmp_path / "video0"
    device.touch()
    driver = SimpleNamespace(device=str(device), told={}, size=(64, 48), refuses=False)

    def ioctl(file, request, argument):
        assert not backend.opened[0].sent, "too late"
        if driver.refuses:
            raise OSError("Invalid argument")
        driver.told[request] = argument
        return loopback.FORMAT.pack(2, *driver.size) if request == loopback.GET_FORMAT else argument

    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"v4l2loopback": backend})
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return driver


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
async def test_v4l2loopback_is_told_the_rate_and_who_sends(driver, fps):
    camera, before = VirtualCamera(driver.device), open_files()
    await camera.open(StreamSpec(65, 48, fps))
    assert loopback.PARAMETERS.unpack(driver.told[loopback.SET_PARAMETERS])[-2:] == (fps.denominator, fps.numerator)
    assert driver.told[loopback.STREAM_ON] == bytes([2, 0, 0, 0])
    assert open_files() == before + 1
    await camera.close()
    assert open_files() == before


async def test_a_driver_that_need_not_be_told_is_no_harm(driver):
    driver.refuses = True
    camera = VirtualCamera(driver.device)
    await camera.open(StreamSpec(64, 48, Fraction(25)))
    await camera.close()


async def test_a_camera_that_a_program_holds_at_another_size_is_refused(driver, backend):
    driver.size, before = (320, 240), open_files()
    with pytest.raises(DeviceError, match=r"video0 is open in another program, at 320x240 .*--size 320x240\.$"):
        await VirtualCamera(driver.device).open(StreamSpec(64, 48, Fraction(25)))
    assert backend.opened[0].closed
    assert open_files() == before


async def test_a_camera_that_goes_is_a_lost_sink(backend):
    camera = VirtualCamera()
    await camera.open(StreamSpec(64, 48, 25))
    backend.opened[0].fails = "unplugged"
    with pytest.raises(SinkLost, match="unplugged"):
        await camera.show(VideoFrame(np.zeros((48, 64, 3), np.uint8), 0), AudioChunk(np.zeros(640, np.float32), 0))
    camera.abort()


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(DeviceError, match=r"pip install 'marotte\[camera\]'"):
        VirtualCamera()
