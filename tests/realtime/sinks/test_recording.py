"""A recording survives whatever ends the stream."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from fakes import ListSource, LoudnessAnimator, read_number, voice

from realtime.loop import run
from realtime.sinks.recording import Recording

ENDLESS = """
import asyncio, sys
from pathlib import Path
from fakes import ListSource, LoudnessAnimator, voice
from realtime.loop import run
from realtime.sinks.recording import Recording

sink = Recording(Path(sys.argv[1]))
source = ListSource(voice(600))
asyncio.run(run(source, LoudnessAnimator(cost=lambda number: print(number, flush=True) or 0), [sink], live=False))
"""


def content(path):
    """Numbers of the pictures, and seconds of sound."""
    with av.open(str(path)) as file:
        numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        return numbers, sum(frame.samples for frame in file.decode(audio=0)) / 16_000


def boxes(path):
    """Names of the outermost boxes of an MP4 file."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8].decode()
        names.append(name)
        at += int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
    return names


async def test_pictures_that_are_drawn_before_their_sound_came(tmp_path):
    target = tmp_path / "out.mp4"
    await run(ListSource(voice(2)), LoudnessAnimator(look_ahead=-640), [Recording(target)], live=False)
    numbers, seconds = content(target)
    assert numbers == list(range(51))
    assert seconds == pytest.approx(2, abs=0.13)  # AAC comes in blocks of 64 ms


async def test_a_stream_that_ends_leaves_an_ordinary_file(tmp_path):
    target = tmp_path / "out.mp4"
    await run(ListSource(voice(5)), LoudnessAnimator(), [Recording(target)], live=False)
    numbers, seconds = content(target)
    assert numbers == list(range(125))
    assert seconds == pytest.approx(5, abs=0.2)
    assert set(boxes(target)) - {"free"} == {"ftyp", "mdat", "moov"}
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


async def test_a_stream_that_fails_keeps_what_was_recorded(tmp_path):
    class Broken(LoudnessAnimator):
        def step(self, samples, state):
            if state == 80:
                raise ZeroDivisionError
            return super().step(samples, state)

    target = tmp_path / "out.mp4"
    with pytest.raises(ZeroDivisionError):
        await run(ListSource(voice(5)), Broken(), [Recording(target)], live=False)
    numbers, _ = content(target)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 60
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_a_killed_program_leaves_a_file_that_plays(tmp_path):
    root = Path(__file__).parents[3]
    path = {"PYTHONPATH": f"{root}:{root / 'tests' / 'realtime'}", "PATH": ""}
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=path) as program:
        for line in program.stdout:
            if int(line) >= 300:
                program.send_signal(signal.SIGKILL)
                break
    numbers, seconds = content(tmp_path / "out.part.mp4")
    assert len(numbers) >= 150
    assert numbers == list(range(len(numbers)))
    assert seconds == pytest.approx(len(numbers) / 25, abs=1.1)
    assert "moof" in boxes(tmp_path / "out.part.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_cancelling_keeps_what_was_recorded(tmp_path):
    async def main():
        far, loop = asyncio.Event(), asyncio.get_running_loop()
        animator = LoudnessAnimator(cost=lambda number: number > 80 and loop.call_soon_threadsafe(far.set) and 0)
        stream = asyncio.create_task(
            run(ListSource(np.tile(voice(1), 600)), animator, [Recording(tmp_path / "out.mp4")], live=False)
        )
        await far.wait()
        stream.cancel()
        await asyncio.wait([stream])

    asyncio.run(main())
    numbers, _ = content(tmp_path / "out.mp4")
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 60
