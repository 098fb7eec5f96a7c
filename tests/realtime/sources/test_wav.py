import asyncio
import wave

import numpy as np
import pytest
from recordings import tone, write_silent_video, write_sound
from virtual_time import VirtualClock, run_virtually

from realtime.errors import InputError
from realtime.sources.wav import WavSource


async def collect(source):
    return [chunk async for chunk in source.chunks()]


def read(path):
    chunks = asyncio.run(collect(WavSource(path)))
    assert [chunk.start for chunk in chunks] == [0, *np.cumsum([len(chunk.samples) for chunk in chunks])[:-1]]
    samples = np.concatenate([chunk.samples for chunk in chunks])
    assert samples.dtype == np.float32
    return samples


@pytest.mark.parametrize("fmt", ["u8", "s16", "s32", "flt"])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000])
def test_any_rate_and_depth(tmp_path, fmt, rate):
    samples = read(write_sound(tmp_path / "voice.wav", tone(1.5, rate)[None], rate, fmt=fmt))
    assert len(samples) == pytest.approx(24_000, abs=1)
    expected = tone(1.5, 16_000)[: len(samples)]
    middle = slice(200, -200)  # the filter rings at the ends
    assert np.abs(samples[: len(expected)] - expected)[middle].max() < (0.02 if fmt == "u8" else 0.002)


def test_rate_and_layout_may_change_in_the_middle(tmp_path):
    """As where a broadcast was cut together: two AAC files after one another are one AAC file."""
    first = write_sound(tmp_path / "first.aac", np.stack([tone(1, 48_000)] * 2), 48_000, "stereo", codec="aac")
    second = write_sound(tmp_path / "second.aac", tone(1, 16_000)[None], 16_000, codec="aac")
    both = tmp_path / "both.aac"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    samples = read(both)
    assert len(samples) == pytest.approx(32_000, abs=3_000)  # with what the encoder puts before
    for part in (samples[2_000:14_000], samples[-12_000:-1_000]):
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        assert spectrum.argmax() * 16_000 / len(part) == pytest.approx(440, abs=3)


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6), ("quad", 4)])
def test_equal_channels_are_as_loud_as_one(tmp_path, layout, channels):
    sound = np.repeat(tone(1, 48_000)[None], channels, axis=0)
    if layout == "5.1":
        sound[3] = 0  # low-frequency effects are no voice
    samples = read(write_sound(tmp_path / "voice.wav", sound, 48_000, layout))
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.01)


def test_a_voice_in_one_channel_is_heard(tmp_path):
    sound = np.stack([tone(1, 44_100), np.zeros(44_100, np.float32)])
    assert np.abs(read(write_sound(tmp_path / "voice.wav", sound, 44_100, "stereo"))).max() > 0.2


def test_full_scale_stays_within_one(tmp_path):
    square = np.sign(tone(1, 44_100, 3_000)).astype(np.float32)
    assert np.abs(read(write_sound(tmp_path / "voice.wav", square[None], 44_100))).max() <= 1


@pytest.mark.parametrize(
    ("name", "codec", "fmt"),
    [("v.flac", "flac", "s16"), ("v.ogg", "libopus", "s16"), ("v.m4a", "aac", "fltp"), ("v.mp3", "libmp3lame", "s16p")],
)
def test_compressed_sound(tmp_path, name, codec, fmt):
    samples = read(write_sound(tmp_path / name, tone(1, 48_000)[None], 48_000, fmt=fmt, codec=codec))
    assert len(samples) == pytest.approx(16_000, abs=800)
    assert np.sqrt(np.mean(samples[2000:14_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_one_sample_is_sound(tmp_path):
    assert len(read(write_sound(tmp_path / "voice.wav", np.ones((1, 1), np.float32), 16_000))) == 1


def test_how_long_it_is(tmp_path):
    path = write_sound(tmp_path / "voice.wav", tone(2.5, 44_100)[None], 44_100)
    assert WavSource(path).seconds == pytest.approx(2.5, abs=1e-3)


def test_real_time_comes_in_even_blocks(tmp_path):
    path = write_sound(tmp_path / "voice.wav", tone(2.005, 44_100)[None], 44_100)

    async def main():
        clock = VirtualClock()
        begin = clock.now()
        return [(clock.now() - begin, chunk) async for chunk in WavSource(path, clock).chunks()]

    arrivals = run_virtually(main())
    assert {len(chunk.samples) for _, chunk in arrivals[:-1]} == {160}
    for moment, chunk in arrivals:
        assert moment == pytest.approx(chunk.end / 16_000, abs=1e-6)
    np.testing.assert_array_equal(np.concatenate([chunk.samples for _, chunk in arrivals]), read(path))


def test_closing_ends_the_sound(tmp_path):
    source = WavSource(write_sound(tmp_path / "voice.wav", tone(60, 16_000)[None], 16_000))

    async def main():
        async for _ in source.chunks():
            source.close()
            source.close()

    asyncio.run(main())


def nothing(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(bytes(range(256)) * 100)


def empty(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))


def header_only(path):
    empty(path)
    path.write_bytes(path.read_bytes()[:30])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "cannot be read"),
        (nothing, "cannot be read"),
        (noise, "cannot be read"),
        (empty, "no sound in it"),
        (header_only, "cannot be read"),
    ],
    ids=["missing", "folder", "no bytes", "noise", "zero length", "cut in the header"],
)
def test_bad_files_give_one_sentence(tmp_path, make, sentence):
    path = tmp_path / "voice.wav"
    make(path)
    with pytest.raises(InputError, match=sentence) as caught:
        WavSource(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_video_without_sound(tmp_path):
    with pytest.raises(InputError, match="no audio stream"):
        WavSource(write_silent_video(tmp_path / "silent.mp4"))
