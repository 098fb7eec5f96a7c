import subprocess
import sys

import pytest

HEAVY = ("sounddevice", "aiortc", "av", "cv2", "aiohttp", "torch", "numba")


def imported(module):
    """Which of the libraries for devices and networks come along with a module."""
    script = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("module", ["loop", "sources.wav", "sources.microphone", "sources.webrtc", "sinks.null"])
def test_device_libraries_are_imported_when_used(module):
    assert imported(f"realtime.{module}") == []


def test_the_page_needs_no_network_engine():
    assert not {"torch", "numba", "sounddevice"} & set(imported("realtime.web.server"))


def test_this_test_can_fail():
    assert "av" in imported("realtime.sinks.mp4")
