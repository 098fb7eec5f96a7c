import asyncio
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import ListSink, LoudnessAnimator
from virtual_time import VirtualClock, run_virtually

from realtime import sound_system
from realtime.errors import DeviceError
from realtime.loop import run
from realtime.sources.microphone import BACKLOG, MicrophoneSource
from realtime.telemetry import Telemetry


class PortAudioError(Exception):
    pass


class Stream:
    """A sound system that calls back when the test says so, from a thread of its own as the real one does."""

    opened = None

    def __init__(self, rate, block, device, channels, dtype, latency, callback, finished_callback):
        assert (rate, block, channels, dtype) == (16_000, 160, 1, "float32")
        self.callback, self.finished = callback, finished_callback
        self.closed = threading.Event()
        Stream.opened = self

    def start(self):
        pass

    def stop(self, ignore_errors):
        pass

    abort = stop

    def close(self, ignore_errors):
        self.closed.set()

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
    fake = SimpleNamespace(
        PortAudioError=PortAudioError,
        InputStream=Stream,
        check_input_settings=lambda *a, **k: None,
        _terminate=lambda: None,
        _initialize=lambda: None,
    )
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
    assert stream.closed.wait(5)


async def test_what_waits_is_bounded_and_the_loss_shows(system):
    task, stream = await listen(MicrophoneSource(), BACKLOG)
    stream.hear(0.5, blocks=3 * BACKLOG)
    assert [chunk.start for chunk in await task] == [160 * (2 * BACKLOG + number) for number in range(BACKLOG)]


class Plug(Stream):
    """A microphone in virtual time that hears ones, and can be unplugged."""

    plugged = True

    def __init__(self, *arguments, **options):
        if not Plug.plugged:
            raise PortAudioError("Device unavailable")
        super().__init__(*arguments, **options)

    def start(self):
        self.hearing = asyncio.get_running_loop().create_task(self.hear_in_time())

    async def hear_in_time(self):
        while Plug.plugged and not self.closed.is_set():
            await asyncio.sleep(0.01)
            self.callback(np.ones((160, 1), np.float32), 160, None, None)
        if not Plug.silently:
            self.finished()


@pytest.mark.parametrize("silently", [False, True], ids=["told", "silently"])
def test_an_unplugged_microphone_is_found_again_and_time_goes_on(system, monkeypatch, silently):
    looked = []
    monkeypatch.setattr(system, "InputStream", Plug)
    monkeypatch.setattr(system, "_terminate", lambda: looked.append(Plug.plugged))
    monkeypatch.setattr(Plug, "plugged", True)
    monkeypatch.setattr(Plug, "silently", silently, raising=False)
    sink = ListSink()

    async def main():
        clock = VirtualClock()
        microphone, telemetry = MicrophoneSource(None, clock), Telemetry(clock)
        stream = asyncio.create_task(
            run(microphone, LoudnessAnimator(), [sink], live=True, clock=clock, telemetry=telemetry)
        )
        await asyncio.sleep(2)
        Plug.plugged = False
        await asyncio.sleep(5)
        Plug.plugged = True
        await asyncio.sleep(3)
        microphone.close()
        await stream
        await asyncio.sleep(0.02)
        assert len(asyncio.all_tasks()) == 1
        return telemetry.report()["counts"]

    counts = run_virtually(main())
    sound = sink.sound
    assert len(sound) == pytest.approx(10 * 16_000, abs=1600)
    assert sound[: 2 * 16_000 - 320].all()
    assert sound[-2 * 16_000 : -640].all()
    assert counts["samples_filled_with_silence"] == pytest.approx(5 * 16_000, abs=0.6 * 16_000)
    assert (sound[:-640] == 0).sum() == counts["samples_filled_with_silence"] + counts.get("samples_lost", 0)
    assert len(sink.numbers) > 250 - 40
    assert 8 <= len(looked) <= 11


def test_sound_that_is_played_is_not_cut_off_by_the_search(system):
    looked = []
    system._terminate = lambda: looked.append(1)
    sound_system.playing("speaker", True)
    sound_system.look_again(system)
    sound_system.playing("speaker", False)
    assert looked == []
    sound_system.look_again(system)
    assert looked == [1]


async def test_closed_before_it_began(system):
    microphone = MicrophoneSource()
    microphone.close()
    assert [chunk async for chunk in microphone.chunks()] == []


@pytest.mark.parametrize(
    "error",
    [
        PortAudioError("Error querying device -1"),
        PortAudioError("Error opening InputStream: Device unavailable [PaErrorCode -9985]"),  # in use
        ValueError("No input device matching 'x'"),
    ],
)
async def test_every_refusal_is_one_sentence(system, error):
    def refuse(*args, **kwargs):
        raise error

    system.check_input_settings = refuse
    with pytest.raises(DeviceError, match=r"Cannot listen to the microphone 'x' \(.*\): plug it in") as caught:
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
    with pytest.raises(DeviceError, match=r"PortAudio library not found.*apt install"):
        MicrophoneSource()


def test_a_machine_without_a_microphone():
    sounddevice = pytest.importorskip("sounddevice", exc_type=OSError)
    if any(device["max_input_channels"] for device in sounddevice.query_devices()):
        pytest.skip("this machine has a microphone")
    with pytest.raises(DeviceError, match="plug it in"):
        MicrophoneSource()
