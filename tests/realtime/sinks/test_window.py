"""The window, on a screen that Xvfb makes."""

import shutil
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from fakes import ListSource, LoudnessAnimator, voice

from realtime.errors import DeviceError, SinkLost
from realtime.loop import run
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.window import TITLE, Window
from realtime.telemetry import Telemetry

pytest.importorskip("tkinter", reason="this Python has no tkinter")
SPEC = StreamSpec(64, 48, Fraction(25))
SOUND = AudioChunk(np.zeros(640, np.float32), 0)


@pytest.fixture(scope="module")
def screen():
    """A screen of its own."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        yield f":{server.stdout.readline().strip()}"
        server.terminate()


@pytest.fixture
def display(screen, monkeypatch):
    monkeypatch.setenv("DISPLAY", screen)


def picture():
    """Red on the left, blue on the right."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32, 0] = pixels[:, 32:, 2] = 255
    return VideoFrame(pixels, 0)


async def shown(window, x):
    """Colour that the window holds at the height of the middle."""
    colours = []
    await window._do(lambda at: colours.append(window._photo.get(*at)), (x, 24))
    return colours[0]


@pytest.mark.parametrize("mirrored", [False, True])
async def test_the_picture_is_there_in_its_colours(display, mirrored):
    window = Window(Telemetry(), mirrored=mirrored)
    await window.open(SPEC)
    await window.show(picture(), SOUND)
    assert [await shown(window, x) for x in (8, 56)] == [(255, 0, 0), (0, 0, 255)][:: -1 if mirrored else 1]
    told = []
    await window._do(lambda _: told.extend([window._root.title(), window._text.cget("text")]), None)
    assert told[0] == TITLE
    assert "frames/s" in told[1]
    assert "delay" in told[1]
    await window.close()


async def test_who_closes_the_window_ends_the_stream_or_only_the_preview(display):
    ended = []
    for closed in (lambda: ended.append(1), None):
        window = Window(Telemetry(), closed=closed)
        await window.open(SPEC)
        await window._do(lambda _, window=window: window._leave(), None)
        if closed:
            await window.show(picture(), SOUND)
        else:
            with pytest.raises(SinkLost, match="closed"):
                await window.show(picture(), SOUND)
        window.abort()
    assert ended == [1]


async def test_m_mutes(display):
    pressed = []
    window = Window(Telemetry(), mute=lambda: pressed.append(1))
    await window.open(SPEC)
    await window.show(picture(), SOUND)
    assert pressed == []
    for key in "mxm":
        await window._do(
            lambda key: (window._root.focus_force(), window._root.event_generate(f"<KeyPress-{key}>")), key
        )
    await window.show(picture(), SOUND)
    assert pressed == [1, 1]
    await window.close()


async def test_a_stream_runs_in_it(display):
    telemetry = Telemetry()
    await run(ListSource(voice(1)), LoudnessAnimator(), [Window(telemetry)], live=False, telemetry=telemetry)
    assert telemetry.counted("frames") == 25


async def test_without_a_screen(monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("there is always a screen")
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(DeviceError, match="a screen is needed") as caught:
        await Window(Telemetry()).open(SPEC)
    assert "\n" not in str(caught.value)


def test_without_tkinter(monkeypatch):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(DeviceError, match="python3-tk"):
        Window(Telemetry())
