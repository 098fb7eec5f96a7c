"""The virtual microphone, heard by another program through a real PulseAudio."""

import os
import shutil
import subprocess
import threading
from fractions import Fraction

import numpy as np
import pytest
from sound_server import sound_server

from realtime.errors import DeviceError
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.virtual_microphone import MOST_WAITING, VirtualMicrophone

SPEC = StreamSpec(64, 48, Fraction(25))
FRAME = VideoFrame(np.zeros((48, 64, 3), np.uint8), 0)
TONE = np.sin(np.arange(640) * 2 * np.pi * 500 / 16_000).astype(np.float32) / 2


@pytest.fixture
def server(tmp_path, monkeypatch):
    with sound_server(tmp_path) as keys:
        for key, value in keys.items():
            monkeypatch.setenv(key, value)
        yield


def sources():
    return subprocess.run(["pactl", "list", "short", "sources"], capture_output=True, text=True, check=True).stdout


async def test_a_call_hears_the_voice_and_the_microphone_goes_with_the_stream(server):
    microphone = VirtualMicrophone()
    await microphone.open(SPEC)
    assert "marotte" in sources()
    command = ["parec", "-d", "marotte", "--rate=16000", "--channels=1", "--format=s16le", "--raw", "--latency-msec=10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as call:  # noqa: ASYNC220 - it is read without waiting
        watchdog = threading.Timer(15, call.kill)
        watchdog.start()
        os.set_blocking(call.stdout.fileno(), False)
        heard, number = b"", 0
        while len(heard) < 2 * 16_000 and call.poll() is None:
            await microphone.show(FRAME, AudioChunk(TONE, 640 * number))
            number += 1
            heard += call.stdout.read() or b""
        watchdog.cancel()
        call.kill()
    samples = np.frombuffer(heard[: len(heard) & ~1], "<i2") / 32768
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.05)
    await microphone.close()
    assert "marotte" not in sources()


async def test_what_nobody_hears_is_not_kept_and_a_left_over_is_replaced(server):
    left = VirtualMicrophone()
    await left.open(SPEC)  # as if its program had been killed
    microphone = VirtualMicrophone()
    await microphone.open(SPEC)
    assert sources().count("marotte") == 1
    for number in range(100):
        await microphone.show(FRAME, AudioChunk(TONE, 640 * number))
    assert len(os.read(microphone._pipe, 1 << 20)) <= MOST_WAITING + 2 * 640
    microphone.abort()
    left.abort()


async def test_without_a_sound_server_is_one_sentence(tmp_path, monkeypatch):
    if shutil.which("pactl") is None:
        pytest.skip("pactl is not installed")
    monkeypatch.setenv("PULSE_SERVER", str(tmp_path / "nobody"))
    with pytest.raises(DeviceError, match=r"cannot be made .*start PulseAudio") as caught:
        await VirtualMicrophone().open(SPEC)
    assert "\n" not in str(caught.value)


def test_without_pactl(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="pulseaudio-utils"):
        VirtualMicrophone()
