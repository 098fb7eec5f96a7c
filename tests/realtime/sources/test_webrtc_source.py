import asyncio
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from recordings import tone

from realtime.sources.webrtc import BACKLOG, TrackSource


def packets(sound, rate, layout="stereo", first=0):
    """Of 10 ms each; `first` is the first one's time stamp."""
    channels = 2 if layout == "stereo" else 1
    interleaved = np.repeat((sound * 32767).astype(np.int16), channels)
    for start in range(0, len(sound) - rate // 100 + 1, rate // 100):
        piece = interleaved[None, channels * start : channels * (start + rate // 100)]
        frame = av.AudioFrame.from_ndarray(piece, "s16", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, first + start, Fraction(1, rate)
        yield frame


class Track(MediaStreamTrack):
    """Stereo packets of 10 ms at 48 kHz, as they come from an Opus decoder; some are lost."""

    kind = "audio"

    def __init__(self, sound, lost=()):
        super().__init__()
        self._frames = [frame for number, frame in enumerate(packets(sound, 48_000)) if number not in lost]

    async def recv(self):
        await asyncio.sleep(0)
        if not self._frames or self.readyState == "ended":
            raise MediaStreamError
        return self._frames.pop(0)


async def collect(source):
    return [chunk async for chunk in source.chunks()]


async def test_the_voice_comes_as_it_was():
    chunks = await collect(TrackSource(Track(tone(1, 48_000))))
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert chunks[-1].end == len(heard) == pytest.approx(16_000, abs=40)  # the filter's tail
    expected = tone(1, 16_000)[: len(heard)]
    assert np.abs(heard - expected)[200:-200].max() < 0.005


async def test_what_was_lost_leaves_a_gap_in_time():
    chunks = await collect(TrackSource(Track(tone(1, 48_000), lost=(30, 31))))
    gaps = [after.start - before.end for before, after in itertools.pairwise(chunks)]
    assert sorted(gaps)[-2:] == [0, 320]
    assert chunks[-1].end == pytest.approx(16_000, abs=40)


async def test_another_rate_in_the_middle_is_heard_at_its_pitch():
    """A telephone's codec takes over, with time stamps of its own clock."""
    track = Track(tone(1, 48_000))
    track._frames += packets(tone(1, 8_000), 8_000, "mono", first=987_654_321)
    chunks = await collect(TrackSource(track))
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert chunks[-1].end == len(heard) == pytest.approx(32_000, abs=80)
    for second in (heard[:16_000], heard[16_200:31_800]):
        spectrum = np.abs(np.fft.rfft(second * np.hanning(len(second))))
        assert spectrum.argmax() * 16_000 / len(second) == pytest.approx(440, abs=2)


async def test_what_waits_is_bounded():
    track = Track(tone(2, 48_000))
    chunks = TrackSource(track).chunks()
    heard = [await anext(chunks)]
    while track.readyState == "live":  # noqa: ASYNC110
        await asyncio.sleep(0)
    heard += [chunk async for chunk in chunks]
    assert len(heard) == 1 + BACKLOG
    assert heard[-1].end == pytest.approx(32_000, abs=40)


async def test_what_was_said_before_anybody_listened_is_left_out():
    track = Track(tone(1, 48_000), lost=(20, 60))
    source = TrackSource(track)
    while len(track._frames) > 50:  # noqa: ASYNC110
        await asyncio.sleep(0)
    chunks = await collect(source)
    assert chunks[0].start == 0
    assert chunks[-1].end == pytest.approx(51 * 160, abs=40)  # with the gap of the packet lost since


async def test_closing_ends_it():
    track = Track(tone(10, 48_000))
    source = TrackSource(track)
    async for _ in source.chunks():
        source.close()
        source.close()
    assert track.readyState == "ended"
