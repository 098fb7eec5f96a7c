import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from fakes import paint_number, read_number
from recordings import tone
from virtual_time import VirtualClock, run_virtually

from realtime.clock import samples_before
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.video_encoder import LEAST_RATE, VideoEncoder, natural_rate
from realtime.sinks.voice_encoder import VoiceEncoder
from realtime.sinks.voice_track import LAG, MOST_LAG
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
    """The first sample of each packet."""
    return [320 * number for number in range(packets)]


def waiting(track):
    return len(track._packets)


async def show(sink, number, fps=Fraction(25), size=(64, 48), left_out=0):
    """Show a picture with its sound, and that of as many before it that were left out."""
    pixels = np.full((size[1], size[0], 3), (180, 60, 40), np.uint8)
    paint_number(pixels, number)
    start, end = samples_before(number - left_out, fps), samples_before(number + 1, fps)
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


@pytest.mark.parametrize("seconds", [0.12, 0.4, 2])
def test_after_a_hiccup_sound_is_on_time_and_none_is_sent_late(seconds):
    async def main():
        sink, viewer = await opened()
        loop = asyncio.get_running_loop()

        async def show_with_a_hiccup():
            left_out = 0
            for number in range(100):
                when = 0.04 * (number + 1)
                if 1.01 < when < 1.01 + seconds:
                    left_out += 1
                    continue
                await asyncio.sleep(max(0, when - loop.time()))
                await show(sink, number, left_out=left_out)
                left_out = 0

        async with asyncio.TaskGroup() as group:
            shower = group.create_task(show_with_a_hiccup())
            packets = []
            while not shower.done() or viewer.audio._offered - viewer.audio._sent >= 320:
                packets += await listen(viewer, 1)
        return packets, viewer.audio.lost

    packets, lost = run_virtually(main())
    lag = np.array([when - packet.pts / 16_000 - 0.04 for packet, when in packets])
    assert lag.max() <= MOST_LAG + 0.02
    after = np.array([when for _, when in packets]) > 1 + seconds + (0.05 if lost else 2.1)
    assert lag[after] == pytest.approx(LAG, abs=0.022)
    assert lost == pytest.approx(0 if seconds < MOST_LAG else seconds * 16_000, abs=0.06 * 16_000)
    assert len(packets) == pytest.approx(4 / 0.02 - lost / 320, abs=3)


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
        listening = asyncio.create_task(listen(viewer, 8))
        await show(sink, 0)
        await asyncio.sleep(0.12)
        await show(sink, 3)
        return [packet for packet, _ in await listening]

    packets = run_virtually(main())
    assert [packet.pts for packet in packets] == starts(8)
    assert [bool(packet.to_ndarray().any()) for packet in packets] == [True] * 2 + [False] * 4 + [True] * 2


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


def test_each_piece_of_sound_is_a_packet_with_its_own_time():
    encoder, decoder = VoiceEncoder(), OpusDecoder()
    said, heard = tone(0.4, 16_000, 300, 0.5), []
    for number, start in enumerate(starts(20)):
        piece = av.AudioFrame.from_ndarray((said[None, start : start + 320] * 32767).astype(np.int16), "s16", "mono")
        piece.sample_rate, piece.pts = 16_000, start + 8000 * (number > 9)  # half a second is left out
        packets, stamp = encoder.encode(piece)
        assert stamp == 3 * piece.pts
        heard += [frame.to_ndarray() for packet in packets for frame in decoder.decode(JitterFrame(packet, stamp))]
    assert len(heard) == 20
    assert np.std(heard[5:]) / 32767 == pytest.approx(np.std(said), rel=0.1)
