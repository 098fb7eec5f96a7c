import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs.opus import OpusEncoder
from aiortc.mediastreams import MediaStreamError
from fakes import paint_number, read_number
from virtual_time import VirtualClock, run_virtually

from realtime.clock import samples_before
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.video_encoder import LEAST_RATE, VideoEncoder, natural_rate
from realtime.sinks.voice_track import HELD_BACK, LAG, MOST_WAITING
from realtime.sinks.webrtc import BACKLOG, WebRtcSink


async def opened(fps=Fraction(25), size=(64, 48)):
    """A sink that shows, and a first viewer who listens and looks."""
    sink = WebRtcSink(VirtualClock())
    await sink.open(StreamSpec(*size, fps))
    return sink, await join(sink)


async def join(sink, codec="H264"):
    viewer = sink.watch()
    viewer.video.codec = codec
    begun = [asyncio.ensure_future(track.recv()) for track in (viewer.video, viewer.audio)]
    await asyncio.sleep(0)
    for one in begun:
        one.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
    return viewer


class Decoder:
    """What a viewer sees."""

    def __init__(self, codec="H264"):
        self._codec = av.CodecContext.create({"H264": "h264", "VP8": "libvpx"}[codec], "r")

    def __call__(self, packet):
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in self._codec.decode(packet)]


def starts(packets):
    """The first sample of each packet; the first one is a little longer."""
    return [320 * number + HELD_BACK * (number > 0) for number in range(packets)]


def waiting(track):
    return len(track._packets)


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


async def listen(viewer, packets):
    """Packets and when they came."""
    loop = asyncio.get_running_loop()
    return [(await viewer.audio.recv(), loop.time()) for _ in range(packets)]


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_every_viewer_sees_every_picture_and_it_is_encoded_once(codec, monkeypatch):
    encoded = []

    def encode(self, picture, *, key, rate, encode=VideoEncoder.encode):
        encoded.append(picture.pts)
        return encode(self, picture, key=key, rate=rate)

    monkeypatch.setattr(VideoEncoder, "encode", encode)

    async def main():
        sink = WebRtcSink(VirtualClock())
        await sink.open(StreamSpec(64, 48, Fraction(25)))
        viewers = [await join(sink, codec) for _ in range(3)]
        seen = []
        for number in range(5):
            await show(sink, number)
            packets = [await viewer.video.recv() for viewer in viewers]
            assert all(packet is packets[0] for packet in packets)
            seen.append(packets[0])
        return seen

    packets = run_virtually(main())
    decode = Decoder(codec)
    assert [decode(packet) for packet in packets] == [[number] for number in range(5)]
    assert encoded == [3600 * number for number in range(5)] == [packet.pts for packet in packets]
    assert [packet.is_keyframe for packet in packets] == [True] + [False] * 4


def test_the_colours_stay():
    async def main():
        sink, viewer = await opened()
        await show(sink, 4)
        return await viewer.video.recv()

    (frame,) = av.CodecContext.create("h264", "r").decode(run_virtually(main()))
    assert np.abs(frame.to_ndarray(format="rgb24")[30, 30].astype(int) - (180, 60, 40)).max() <= 3


def test_nothing_is_encoded_for_nobody(monkeypatch):
    monkeypatch.setattr(VideoEncoder, "encode", lambda *_, **__: pytest.fail("encoded"))

    async def main():
        sink = WebRtcSink(VirtualClock())
        await sink.open(StreamSpec(64, 48, Fraction(25)))
        await show(sink, 0)
        sink.watch()  # but not connected yet
        await show(sink, 1)
        sink.watch().leave()
        assert sink.viewers == 1
        await show(sink, 2)

    run_virtually(main())


def test_one_who_joins_begins_with_a_key_frame_and_so_does_nobody_else():
    async def main():
        sink, first = await opened()
        for number in range(20):
            await show(sink, number)
            await asyncio.sleep(0.04)
            await first.video.recv()
        second = await join(sink)
        await show(sink, 20)
        return await first.video.recv(), await second.video.recv()

    theirs, mine = run_virtually(main())
    assert mine is theirs
    assert mine.is_keyframe


@pytest.mark.parametrize("who", ["asks", "joins"])
def test_two_key_frames_a_second_at_most(who):
    async def main():
        sink, viewer = await opened()
        keys = 0
        for number in range(250):
            if who == "asks":
                viewer.video.ask_for_key()
            else:
                (await join(sink)).leave() if number % 2 else await join(sink)
            await show(sink, number)
            await asyncio.sleep(0.04)
            keys += (await viewer.video.recv()).is_keyframe
        return keys

    assert 15 <= run_virtually(main()) <= 20


def test_a_viewer_who_falls_behind_goes_on_from_a_key_frame():
    async def main():
        sink, slow = await opened()
        quick = await join(sink)
        decode, seen = Decoder(), []
        for number in range(40):
            await show(sink, number)
            await asyncio.sleep(0.04)
            await quick.video.recv()
            if number < 5 or number > 30:
                while waiting(slow.video):
                    seen += decode(await slow.video.recv())
            assert waiting(slow.video) <= BACKLOG
        return seen, slow.video.lost

    seen, lost = run_virtually(main())
    assert seen[:5] == [0, 1, 2, 3, 4]
    assert seen[-1] == 39
    assert lost == 40 - len(seen) > 15


def test_the_slowest_network_sets_the_rate(monkeypatch):
    asked = []

    def encode(self, picture, *, key, rate, encode=VideoEncoder.encode):
        asked.append(rate)
        return encode(self, picture, key=key, rate=rate)

    monkeypatch.setattr(VideoEncoder, "encode", encode)

    async def main():
        sink, first = await opened(size=(512, 512))
        second = await join(sink)
        await show(sink, 0, size=(512, 512))
        first.video.set_rate(900_000)
        second.video.set_rate(400_000)
        await show(sink, 1, size=(512, 512))
        first.video.set_rate(1_000)
        second.leave()
        await show(sink, 2, size=(512, 512))

    run_virtually(main())
    assert asked == [natural_rate(512, 512), 400_000, LEAST_RATE]


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30000, 1001)])
def test_sound_is_whole_and_even(fps):
    async def main():
        sink, viewer = await opened(fps)
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(listen(viewer, 190))
            group.create_task(perform(sink, int(4 * fps), fps))
        return listener.result()

    packets = run_virtually(main())
    assert [packet.pts for packet, _ in packets] == starts(190)
    sound = np.concatenate([packet.to_ndarray()[0] for packet, _ in packets])
    np.testing.assert_allclose(sound / 32767, np.arange(len(sound)) % 1000 / 1000, atol=1e-4)
    times = np.array([when for _, when in packets])
    assert np.abs(np.diff(times) - 0.02).max() < 0.0021
    assert times[0] == pytest.approx(float(1 / fps) + LAG)


@pytest.mark.parametrize("late", [0.06, 0.03])
def test_sound_follows_pictures_that_come_earlier(late):
    async def main():
        sink, viewer = await opened()
        loop = asyncio.get_running_loop()

        async def show_late_at_first():
            for number in range(150):
                when = 0.04 * (number + 1) + (late if number < 50 else 0)
                await asyncio.sleep(max(0, when - loop.time()))
                await show(sink, number)

        async with asyncio.TaskGroup() as group:
            listener = group.create_task(listen(viewer, 290))
            group.create_task(show_late_at_first())
            await asyncio.sleep(0.04 * 70)
            told.append(viewer.audio.lag)  # the pictures are early, the sound is not yet
            await asyncio.sleep(0.04 * 70)
            told.append(viewer.audio.lag)
        return listener.result()

    told = []
    packets = run_virtually(main())
    assert told == [pytest.approx(LAG + late, abs=0.03), pytest.approx(LAG, abs=0.022)]
    lag = np.array([when - packet.pts / 16_000 - 0.04 for packet, when in packets])
    assert lag[60:95] == pytest.approx(LAG + late, abs=0.022)
    assert lag[200:] == pytest.approx(LAG, abs=0.022)
    assert [packet.pts for packet, _ in packets] == starts(290)


def test_sound_that_piles_up_is_caught_up_with():
    async def main():
        sink, viewer = await opened()
        for number in range(10):
            await show(sink, number)  # 400 ms at once
        packets = await listen(viewer, 19)
        return packets[-1][1]

    assert run_virtually(main()) <= LAG + MOST_WAITING + 0.02


def test_sound_goes_on_after_a_pause():
    async def main():
        sink, viewer = await opened()
        await show(sink, 0)
        await listen(viewer, 1)
        await asyncio.sleep(5)
        await show(sink, 1)
        return [when for _, when in await listen(viewer, 2)]

    first, second = run_virtually(main())
    assert first == pytest.approx(5.04, abs=0.05)
    assert second - first == pytest.approx(0.02)


def test_a_gap_becomes_silence():
    async def main():
        sink, viewer = await opened()
        await show(sink, 0)
        await show(sink, 5)
        return [packet for packet, _ in await listen(viewer, 11)]

    packets = run_virtually(main())
    assert [packet.pts for packet in packets] == starts(11)
    assert [bool(packet.to_ndarray().any()) for packet in packets] == [True] * 2 + [False] * 7 + [True] * 2


def test_odd_sizes_lose_a_row_and_a_column():
    async def main():
        sink, viewer = await opened(size=(65, 49))
        await show(sink, 0, size=(65, 49))
        return await viewer.video.recv()

    (frame,) = av.CodecContext.create("h264", "r").decode(run_virtually(main()))
    assert (frame.width, frame.height) == (64, 48)


def test_a_flush_is_heard_at_once():
    async def main():
        sink, viewer = await opened()
        old = AudioChunk(np.full(1600, 0.5, np.float32), 0, 0)
        new = AudioChunk(np.full(640, -0.5, np.float32), 1600, 1)
        await sink.show(VideoFrame(np.zeros((48, 64, 3), np.uint8), 0), old)
        await viewer.audio.recv()
        await sink.show(VideoFrame(np.zeros((48, 64, 3), np.uint8), 1), new)
        return await viewer.audio.recv()

    packet = run_virtually(main())
    assert packet.pts == 1600
    assert packet.to_ndarray().max() < 0


def test_sound_before_one_listens_is_not_kept():
    async def main():
        sink, _ = await opened()
        late = sink.watch()
        for number in range(50):
            await show(sink, number)
        waiting = asyncio.ensure_future(late.audio.recv())
        await asyncio.sleep(0)
        await show(sink, 50)
        return await waiting

    assert run_virtually(main()).pts == samples_before(50, Fraction(25))


@pytest.mark.parametrize("end", ["close", "abort"])
def test_the_end_ends_all_tracks(end):
    async def main():
        sink, viewer = await opened()
        waiting = [asyncio.create_task(track.recv()) for track in (viewer.video, viewer.audio)]
        await asyncio.sleep(0)
        if ending := getattr(sink, end)():
            await ending
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(result) for result in run_virtually(main())] == [MediaStreamError] * 2


def test_the_encoder_keeps_no_packet_back():
    async def main():
        sink, viewer = await opened()
        for number in range(4):
            await show(sink, number)
        return [packet for packet, _ in await listen(viewer, 6)]

    encoder = OpusEncoder()
    assert [len(encoder.encode(packet)[0]) for packet in run_virtually(main())] == [1] * 6
