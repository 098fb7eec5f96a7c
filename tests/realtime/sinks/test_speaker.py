import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from realtime import sound_system
from realtime.errors import DeviceError, SinkLost
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.speaker import Speaker

SPEC = StreamSpec(64, 48, Fraction(25))
FRAME = VideoFrame(np.zeros((48, 64, 3), np.uint8), 0)


class PortAudioError(Exception):
    pass


class Stream:
    opened = None

    def __init__(self, rate, block, device, channels, dtype, latency, callback, finished_callback):
        assert (rate, block, channels, dtype) == (16_000, 160, 1, "float32")
        self.device, self.callback, self.finished, self.state = device, callback, finished_callback, "made"
        Stream.opened = self

    def start(self):
        self.state = "started"

    def close(self):
        self.state = "closed"

    def play(self, blocks):
        out = np.full((160 * blocks, 1), np.nan, np.float32)
        for block in range(blocks):
            self.callback(out[160 * block : 160 * (block + 1)], 160, None, None)
        return out[:, 0]


@pytest.fixture
def system(monkeypatch):
    fake = SimpleNamespace(
        PortAudioError=PortAudioError, OutputStream=Stream, check_output_settings=lambda *a, **k: None
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


async def test_the_voice_is_played_when_its_picture_is_shown(system):
    speaker = Speaker("3")
    await speaker.open(SPEC)
    stream = Stream.opened
    assert (stream.device, stream.state) == (3, "started")
    assert not stream.play(20).any()
    await speaker.show(FRAME, AudioChunk(np.full(640, 0.5, np.float32), 0))
    heard = stream.play(8)
    assert 0 < np.flatnonzero(heard)[0] <= 480
    assert (heard == 0.5).sum() == 640
    assert sound_system._playing == [speaker]
    await speaker.close()
    assert stream.state == "closed"
    assert sound_system._playing == []


async def test_an_output_that_goes_is_a_lost_sink(system):
    speaker = Speaker()
    await speaker.open(SPEC)
    Stream.opened.finished()
    with pytest.raises(SinkLost, match="gone"):
        await speaker.show(FRAME, AudioChunk(np.zeros(640, np.float32), 0))
    speaker.abort()


async def test_no_such_output_is_one_sentence(system):
    def refuse(*args, **kwargs):
        raise ValueError("No output device matching 'cable'")

    system.OutputStream = refuse
    speaker = Speaker("cable")
    with pytest.raises(DeviceError, match=r"Cannot play to the output 'cable' \(.*\): plug it in"):
        await speaker.open(SPEC)
    speaker.abort()
    system.check_output_settings = refuse
    with pytest.raises(DeviceError, match="the default output"):
        Speaker()
