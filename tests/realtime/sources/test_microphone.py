import asyncio
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from realtime.errors import DeviceError
from realtime.sources.microphone import BACKLOG, MicrophoneSource


class PortAudioError(Exception):
    pass


class Stream:
    """A sound system that calls back when the test says so, from a thread of its own as the real one does."""

    opened = None

    def __init__(self, rate, block, device, channels, dtype, latency, callback, finished_callback):
        assert (rate, block, channels, dtype) == (16_000, 160, 1, "float32")
        self.callback, self.finished = callback, finished_callback
        Stream.opened = self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.finished()
        Stream.opened = None

    def hear(self, value, blocks=1):
        buffer = np.zeros((160, 1), np.float32)

        def work():
            for _ in range(blocks):
                buffer[:] = value
                self.callback(buffer, 160, None, None)
                buffer[:] = np.nan  # the system uses its buffer again

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


@pytest.fixture
def system(monkeypatch):
    """A fake sound system with one microphone."""
    fake = SimpleNamespace(PortAudioError=PortAudioError, InputStream=Stream, check_input_settings=lambda *a, **k: None)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


async def listen(microphone, count):
    """Start listening; returns the task and, once it is open, the stream."""

    async def collect():
        chunks = []
        async for chunk in microphone.chunks():
            chunks.append(chunk)
            if len(chunks) == count:
                microphone.close()
        return chunks

    task = asyncio.create_task(collect())
    await asyncio.sleep(0)
    return task, Stream.opened


async def test_blocks_arrive_copied_and_in_order(system):
    task, stream = await listen(MicrophoneSource(), 3)
    for value in (0.1, 0.2, 0.3):
        stream.hear(value)
    chunks = await task
    assert [chunk.start for chunk in chunks] == [0, 160, 320]
    assert [chunk.samples[7] for chunk in chunks] == pytest.approx([0.1, 0.2, 0.3])
    assert Stream.opened is None


async def test_what_waits_is_bounded_and_the_loss_shows(system):
    task, stream = await listen(MicrophoneSource(), BACKLOG)
    stream.hear(0.5, blocks=3 * BACKLOG)
    assert [chunk.start for chunk in await task] == [160 * (2 * BACKLOG + number) for number in range(BACKLOG)]


async def test_an_unplugged_microphone_ends_the_voice(system):
    task, stream = await listen(MicrophoneSource(), 100)
    stream.hear(0.5)
    stream.finished()
    assert len(await task) == 1


async def test_closed_before_it_began(system):
    microphone = MicrophoneSource()
    microphone.close()
    assert [chunk async for chunk in microphone.chunks()] == []


@pytest.mark.parametrize(
    "error", [PortAudioError("Error querying device -1"), ValueError("No input device matching 'x'"), OSError("no lib")]
)
async def test_every_refusal_is_one_sentence(system, error):
    def refuse(*args, **kwargs):
        raise error

    system.check_input_settings = refuse
    with pytest.raises(DeviceError, match=r"Cannot listen to the microphone 'x' \(.*\): plug one in") as caught:
        MicrophoneSource("x")
    assert "\n" not in str(caught.value)
    system.check_input_settings = lambda *args, **kwargs: None
    system.InputStream = refuse
    with pytest.raises(DeviceError, match="the default microphone"):
        [chunk async for chunk in MicrophoneSource().chunks()]


def test_without_the_sound_library(monkeypatch):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(DeviceError, match="PortAudio library not found"):
        MicrophoneSource()


def test_a_machine_without_a_microphone():
    sounddevice = pytest.importorskip("sounddevice", exc_type=OSError)
    if any(device["max_input_channels"] for device in sounddevice.query_devices()):
        pytest.skip("this machine has a microphone")
    with pytest.raises(DeviceError, match="plug one in"):
        MicrophoneSource()
