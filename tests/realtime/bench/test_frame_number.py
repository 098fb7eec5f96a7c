import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.bench.frame_number import BLOCKS, PERIOD, decode, paint, read


def noise(size=(256, 256), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@given(st.integers(0, 2 * PERIOD))
def test_what_is_painted_is_read(number):
    picture = noise((64, 64))
    paint(picture, number)
    assert read(picture[:, :, 1]) == number % PERIOD


@pytest.mark.parametrize("number", [0, PERIOD - 1])
def test_the_extremes_have_light_and_dark_blocks(number):
    picture = noise()
    paint(picture, number)
    assert read(picture[:, :, 0]) == number


def test_a_picture_without_a_number_has_none():
    assert read(np.full((256, 256), 128, np.uint8)) is None
    assert sum(read(noise(seed=seed)[:, :, 0]) is not None for seed in range(50)) == 0


def test_one_flipped_block_is_found_out():
    picture = noise()
    paint(picture, 1234)
    levels = picture[0, 5 : 5 + 10 * BLOCKS : 10, 0].astype(float)
    assert decode(levels) == 1234
    for block in range(BLOCKS):
        flipped = levels.copy()
        flipped[block] = 251 - flipped[block]
        assert decode(flipped) != 1234


def test_it_survives_a_video_call():
    codec = av.VideoCodecContext.create("libx264", "w")
    codec.width = codec.height = 256
    codec.pix_fmt, codec.bit_rate, codec.framerate = "yuv420p", 300_000, 25
    codec.options = {"preset": "superfast", "tune": "zerolatency"}
    decoder = av.VideoCodecContext.create("h264", "r")
    read_back = []
    for number in range(20):
        picture = np.broadcast_to(noise((16, 16), number).repeat(16, 0).repeat(16, 1), (256, 256, 3)).copy()
        paint(picture, 77_000 + number)
        for packet in codec.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            read_back += [read(frame.to_ndarray()[:256]) for frame in decoder.decode(packet)]
    read_back += [read(frame.to_ndarray()[:256]) for frame in decoder.decode(None)]
    assert read_back == [77_000 + number for number in range(20)]
