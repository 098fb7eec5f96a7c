"""A live stream at a terminal ends in order when it is told to."""

import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from realtime.clock import MonotonicClock
from realtime.errors import InputError
from realtime.live import sound_sinks, voice
from realtime.sources.wav import WavSource

ROOT = Path(__file__).parents[2]
ENDLESS = """
import asyncio, sys
from pathlib import Path
import fakes
from realtime.clock import MonotonicClock
from realtime.live import perform
from realtime.sinks.recording import Recording
from realtime.telemetry import Telemetry

clock = MonotonicClock()
animator = fakes.LoudnessAnimator(cost=lambda number: print(number, flush=True) or 0)
source = fakes.ListSource(fakes.voice(600), clock=clock)
asyncio.run(perform(source, animator, [Recording(Path(sys.argv[1]))], Telemetry(clock), clock))
print("ended in order", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stream_and_completes_the_recording(tmp_path, number):
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'realtime'}", "PATH": ""}
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as program:
        for line in program.stdout:
            if line.strip() == "20":
                program.send_signal(number)
                break
        rest = program.stdout.read()
        assert program.wait(timeout=3) == 0
    assert "ended in order" in rest
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 18


def test_a_file_is_spoken_instead_of_a_microphone():
    source = voice(ROOT / "models/bundled/hello.wav", "no such microphone", MonotonicClock())
    assert isinstance(source, WavSource)


def test_what_takes_the_voice_is_checked_before_anything_starts(tmp_path):
    assert sound_sinks(None, False, None) == []
    (recording,) = sound_sinks(None, False, tmp_path / "out.mp4")
    assert type(recording).__name__ == "Recording"
    with pytest.raises(InputError, match="no folder"):
        sound_sinks(None, False, tmp_path / "nowhere" / "out.mp4")
