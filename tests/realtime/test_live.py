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
from realtime.sources.mute import MuteSwitch
from realtime.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
ENDLESS = """
import asyncio, sys
from pathlib import Path
import fakes
from realtime.clock import MonotonicClock
from realtime.live import perform
from realtime.sinks.recording import Recording
from realtime.sources.mute import MuteSwitch
from realtime.telemetry import Telemetry

clock = MonotonicClock()
animator = fakes.LoudnessAnimator(cost=lambda number: print(number, flush=True) or 0)
telemetry = Telemetry(clock)
source = MuteSwitch(fakes.ListSource(fakes.voice(600), clock=clock), telemetry)
asyncio.run(perform(source, animator, [Recording(Path(sys.argv[1]))], telemetry, clock))
print("ended in order, muted" if telemetry.noted("muted") else "ended in order", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_stream_and_completes_the_recording(tmp_path, number):
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'realtime'}", "PATH": ""}
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as program:
        for line in program.stdout:
            if line.strip() == "10":
                program.send_signal(signal.SIGUSR1)
            if line.strip() == "20":
                program.send_signal(number)
                break
        rest = program.stdout.read()
        assert program.wait(timeout=3) == 0
    assert "ended in order, muted" in rest
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 18


def test_a_file_is_spoken_instead_of_a_microphone():
    clock = MonotonicClock()
    source = voice(ROOT / "models/bundled/hello.wav", "no such microphone", clock, Telemetry(clock))
    assert isinstance(source, MuteSwitch)


def test_what_takes_the_voice_is_checked_before_anything_starts(tmp_path):
    assert sound_sinks(None, False, None) == []
    (recording,) = sound_sinks(None, False, tmp_path / "out.mp4")
    assert type(recording).__name__ == "Recording"
    with pytest.raises(InputError, match="no folder"):
        sound_sinks(None, False, tmp_path / "nowhere" / "out.mp4")
