"""A few seconds through each real consumer, of a face that costs nothing."""

import asyncio
import queue
import shutil
from fractions import Fraction

import cv2
import numpy as np
import pytest
from fakes import LoudnessAnimator, voice

from realtime.bench import bad_network
from realtime.bench.benchmark import measure
from realtime.bench.chromium import NAMES
from realtime.bench.rehearsal import PhasedTelemetry
from realtime.bench.through import Through
from realtime.clock import MonotonicClock
from realtime.errors import InputError

SECONDS = 3


def figures(through, losses=False):
    clock = MonotonicClock()
    telemetry = PhasedTelemetry(clock)
    real, floor = (LoudnessAnimator(Fraction(25), 0, (256, 256)) for _ in range(2))
    sound = voice(SECONDS) + voice(SECONDS, seed=3) / 4
    return asyncio.run(measure(real, floor, telemetry, sound, through, clock, losses=losses))[0]


def test_the_camera_sees_nearly_every_frame():
    pytest.importorskip("pyvirtualcam", reason="the extra `camera` is not installed")
    found = figures(Through.CAMERA)
    assert found["frames"]["seen"] > 0.9 * SECONDS * 25
    assert found["frames"]["unread"] == 0
    assert found["delay_ms"]["p50"] > 58  # the frame's own time, half of it again to wait: less would be cheating
    assert found["declared_ms"]["mean"] == pytest.approx(60, abs=1)


def test_a_camera_that_comes_with_its_first_picture_is_read(monkeypatch):
    pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="the extra `camera` is not installed")
    sent: queue.Queue[np.ndarray] = queue.Queue()

    class Driver:
        def __init__(self, *, width, height, **options):
            self.shape = height * 3 // 2, width

        def send(self, frame):
            sent.put(cv2.cvtColor(frame.reshape(self.shape), cv2.COLOR_YUV2BGR_I420))

        def close(self):
            pass

        def device(self):
            return "late"

        native_fourcc = close

    class Capture:
        def __init__(self, device):
            self.open(device)

        def open(self, device):
            self.opened = not sent.empty()

        def isOpened(self):
            return self.opened

        def read(self):
            try:
                return (True, sent.get(timeout=0.1)) if self.opened else (False, None)
            except queue.Empty:
                return False, None

        def release(self):
            pass

    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"driver": Driver})
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    assert figures(Through.CAMERA)["frames"]["seen"] > 0.8 * SECONDS * 25


def test_an_aiortc_viewer_reads_the_numbers_and_hears_the_voice():
    found = figures(Through.WEBRTC)
    assert found["frames"]["seen"] > 0.7 * SECONDS * 25
    assert found["delay_ms"]["p50"] > 58
    assert found["offset_ms"]


def test_a_network_that_is_bad_at_times(monkeypatch):
    for name, seconds in {"GOOD_S": 1.0, "BAD_S": 0.5, "MARGIN_S": 0.5, "JITTER_S": 0.1}.items():
        monkeypatch.setattr(bad_network, name, seconds)
    found = figures(Through.WEBRTC, losses=True)["losses_ms"]
    assert found["spells"] >= 1
    assert 50 < found["normal"] < found["in_spells_p95"]


@pytest.mark.skipif(not any(shutil.which(name) for name in NAMES), reason="Chromium is not installed")
def test_chromium_reads_the_numbers():
    found = figures(Through.CHROMIUM)
    assert found["frames"]["seen"] > 0.5 * SECONDS * 25
    delay = found["delay_ms"] or found["onset_ms"]  # on a busy machine all that is seen may follow a pause
    assert delay["p50"] > 50


def test_without_chromium_one_sentence_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"None of chromium, .* is installed"):
        figures(Through.CHROMIUM)
