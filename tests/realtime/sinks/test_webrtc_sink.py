import asyncio
from fractions import Fraction

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from fakes import paint_number, read_number
from virtual_time import VirtualClock, run_virtually

from realtime.clock import samples_before
from realtime.errors import SinkLost
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.webrtc import LAG, MOST_WAITING, WebRtcSink


async def opened(fps=Fraction(25), size=(64, 48)):
    sink = WebRtcSink(VirtualClock())
    await sink.open(StreamSpec(*size, fps))
    return sink


async def show(sink, number, fps=Fraction(25), size=(64, 48)):
    pixels = np.full((size[1], size[0], 3), (180, 60, 40), np.uint8)
    paint_number(pixels, number)
    start, end = samples_before(number, fps), samples_before(number + 1, fps)
    sound = (np.arange(start, end) % 1000 / 1000).astype(np.float32)
    await sink.show(VideoFrame(pixels, number), AudioChunk(sound, start))


async def perform(sink, frames, fps):
    """Show frames in real time."""
    for number in range(frames):
        await asyncio.sleep(float(1 / fps))
        await show(sink, number, fps)


async def listen(sink, packets):
    """Packets and when they came."""
    loop = asyncio.get_running_loop()
    return [(await sink.audio.recv(), loop.time()) for _ in range(packets)]


def test_the_viewer_gets_the_newest_picture():
    async def main():
        sink = await opened()
        for number in range(5):
            await show(sink, number)
        return await sink.video.recv()

    frame = run_virtually(main())
    assert (frame.pts, frame.time_base) == (4 * 3600, Fraction(1, 90_000))
    picture = frame.to_ndarray(format="rgb24")
    assert read_number(picture) == 4
    assert np.abs(picture[30, 30].astype(int) - (180, 60, 40)).max() <= 3


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30000, 1001)])
def test_sound_is_whole_and_even(fps):
    async def main():
        sink = await opened(fps)
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(listen(sink, 190))
            group.create_task(perform(sink, int(4 * fps), fps))
        return listener.result()

    packets = run_virtually(main())
    assert [packet.pts for packet, _ in packets] == [320 * number for number in range(190)]
    sound = np.concatenate([packet.to_ndarray()[0] for packet, _ in packets])
    np.testing.assert_allclose(sound / 32767, np.arange(len(sound)) % 1000 / 1000, atol=1e-4)
    times = np.array([when for _, when in packets])
    assert np.abs(np.diff(times) - 0.02).max() < 0.0021
    assert times[0] == pytest.approx(float(1 / fps) + LAG)


def test_sound_that_piles_up_is_caught_up_with():
    async def main():
        sink = await opened()
        for number in range(10):
            await show(sink, number)  # 400 ms at once
        packets = await listen(sink, 20)
        return packets[-1][1]

    assert run_virtually(main()) <= LAG + MOST_WAITING + 0.02


def test_sound_goes_on_after_a_pause():
    async def main():
        sink = await opened()
        await show(sink, 0)
        await listen(sink, 2)
        await asyncio.sleep(5)
        await show(sink, 1)
        return [when for _, when in await listen(sink, 2)]

    first, second = run_virtually(main())
    assert first == pytest.approx(5.04, abs=0.05)
    assert second - first == pytest.approx(0.02)


def test_a_gap_becomes_silence():
    async def main():
        sink = await opened()
        await show(sink, 0)
        await show(sink, 5)
        return [packet for packet, _ in await listen(sink, 12)]

    packets = run_virtually(main())
    assert [packet.pts for packet in packets] == [320 * number for number in range(12)]
    assert [bool(packet.to_ndarray().any()) for packet in packets] == [True] * 2 + [False] * 8 + [True] * 2


def test_odd_sizes_lose_a_row_and_a_column():
    async def main():
        sink = await opened(size=(65, 49))
        await show(sink, 0, size=(65, 49))
        return await sink.video.recv()

    frame = run_virtually(main())
    assert (frame.width, frame.height) == (64, 48)


@pytest.mark.parametrize("leave", ["video", "audio"])
def test_a_viewer_who_left_loses_the_sink(leave):
    async def main():
        sink = await opened()
        getattr(sink, leave).stop()
        with pytest.raises(SinkLost, match="has left"):
            await show(sink, 0)

    run_virtually(main())


def test_closing_ends_both_tracks():
    async def main():
        sink = await opened()
        waiting = [asyncio.create_task(track.recv()) for track in (sink.video, sink.audio)]
        await asyncio.sleep(0)
        await sink.close()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(result) for result in run_virtually(main())] == [MediaStreamError] * 2
