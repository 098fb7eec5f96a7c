import asyncio
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from recordings import tone

from realtime.sources.webrtc import BACKLOG, TrackSource


class Track(MediaStreamTrack):
    """Stereo packets of 10 ms at 48 kHz, as they come from an Opus decoder; some are lost."""

    kind = "audio"

    def __init__(self, sound, lost=()):
        super().__init__()
        stereo = np.repeat((sound * 32767).astype(np.int16), 2)
        self._frames = []
        for number in range(len(sound) // 480):
            if number not in lost:
                frame = av.AudioFrame.from_ndarray(stereo[None, 960 * number : 960 * (number + 1)], "s16", "stereo")
                frame.sample_rate, frame.pts, frame.time_base = 48_000, 480 * number, Fraction(1, 48_000)
                self._frames.append(frame)

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
