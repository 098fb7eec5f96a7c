"""Clips of every awkward kind come out upright, at a constant rate and with the sound in its place."""

from fractions import Fraction

import numpy as np
import pytest
from clip_maker import counted, number_of, set_display_matrix, write_clip
from hypothesis import given
from hypothesis import strategies as st

from models.errors import VideoError
from models.video import check_clip, check_voice, constant_fps, constant_rate, probe, read_frames, read_sound

RATE = 48_000


def click_at(seconds, length):
    sound = np.zeros(round(length * RATE), np.float32)
    sound[round(seconds * RATE) : round(seconds * RATE) + 24] = 0.9
    return sound


def numbers(path, **kwargs):
    return [number_of(picture) for _, picture in read_frames(path, **kwargs)]


def test_constant_rate_clip_is_read_as_it_is(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [counted(n) for n in range(20)], [n / 25 for n in range(20)])
    info = probe(path)
    assert (info.width, info.height, info.fps, info.frames, info.has_sound) == (96, 64, Fraction(25), 20, False)
    assert info.duration == pytest.approx(0.8)
    frames = list(read_frames(path))
    assert [number_of(picture) for _, picture in frames] == list(range(20))
    np.testing.assert_allclose([time for time, _ in frames], np.arange(20) / 25)
    assert all(p.dtype == np.uint8 and p.shape == (64, 96, 3) and p.flags.c_contiguous for _, p in frames)


def test_a_first_picture_that_is_late_is_time_zero(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", [counted(n) for n in range(10)], [0.4 + n / 25 for n in range(10)])
    assert probe(path).start == pytest.approx(0.4, abs=1e-3)
    assert numbers(path) == list(range(10))


def test_variable_rate_takes_the_nearest_picture(tmp_path):
    stamps = [0, 1, 2, 3, 6, 7, 7.4, 8, 9, 10, 11]  # in frames at 25 per second: a gap, and one too many
    path = write_clip(tmp_path / "clip.mkv", [counted(n) for n in range(11)], [s / 25 for s in stamps])
    assert probe(path).fps == 25
    assert numbers(path) == [0, 1, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10]


@pytest.mark.parametrize("first", [0, 3, 17, 24])
def test_reading_from_the_middle_equals_reading_all(tmp_path, first):
    """The clip is longer than a second, so that reading seeks; its key pictures are 12 apart."""
    pictures = [counted(n % 25) for n in range(60)]
    path = write_clip(tmp_path / "clip.mp4", pictures, [n / 25 for n in range(60)])
    assert numbers(path, start=first + 30, stop=first + 33) == [(n % 25) for n in range(first + 30, first + 33)]


@pytest.mark.parametrize(
    ("matrix", "shape", "corner"),
    [
        ((0, 1, -1, 0), (96, 64), (0, -1)),  # a phone held upright: a quarter turn clockwise
        ((0, -1, 1, 0), (96, 64), (-1, 0)),
        ((-1, 0, 0, -1), (64, 96), (-1, -1)),
        ((-1, 0, 0, 1), (64, 96), (0, -1)),  # mirrored
    ],
)
def test_display_matrix_is_applied(tmp_path, matrix, shape, corner):
    """The white mark of the stored picture's top left corner ends where a player would show it."""
    path = write_clip(tmp_path / "clip.mp4", [counted(0)] * 5, [n / 25 for n in range(5)])
    set_display_matrix(path, *matrix)
    info = probe(path)
    assert (info.height, info.width) == shape
    _, picture = next(read_frames(path))
    assert picture.shape[:2] == shape
    corners = {(y, x): picture[y, x].mean() > 200 for y in (0, -1) for x in (0, -1)}
    assert [place for place, white in corners.items() if white] == [corner]


@pytest.mark.parametrize("shape", [(63, 97), (50, 33), (64, 97)])
def test_odd_sizes(tmp_path, shape):
    path = write_clip(tmp_path / "clip.mkv", [counted(3, *shape)] * 5, [n / 25 for n in range(5)])
    assert all(p.shape == (*shape, 3) for _, p in read_frames(path))
    assert numbers(path) == [3] * 5


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize(("first_picture", "first_sample"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.1, 0.3)])
def test_sound_lies_on_the_pictures_clock(tmp_path, name, first_picture, first_sample):
    """A click 0.5 s after the first picture is sample 8000, whatever the start of both streams and AAC's priming."""
    stamps = [first_picture + n / 25 for n in range(25)]
    sound = click_at(first_picture + 0.5 - first_sample, 1.2)
    path = write_clip(tmp_path / name, [counted(n) for n in range(25)], stamps, sound, RATE, first_sample)
    found = read_sound(path)
    assert found.dtype == np.float32
    assert np.abs(found).max() > 0.2
    assert abs(int(np.abs(found).argmax()) - 8000) <= 24
    assert abs(len(found) / 16_000 - (1.2 + first_sample - first_picture)) < 0.1


def test_no_sound_is_none(tmp_path):
    assert read_sound(write_clip(tmp_path / "clip.mp4", [counted(0)] * 5, [n / 25 for n in range(5)])) is None


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        probe(tmp_path / "absent.mp4")
    rubbish = tmp_path / "rubbish.mp4"
    rubbish.write_bytes(b"this is not a video" * 100)
    with pytest.raises(VideoError, match="cannot be read"):
        probe(rubbish)
    with pytest.raises(VideoError, match="cannot be read"):
        read_sound(rubbish)


def test_truncated_video_is_one_clear_error(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [counted(n) for n in range(20)], [n / 25 for n in range(20)])
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(VideoError, match=r"clip.mp4"):
        probe(path)


def test_a_clip_for_calibration_is_long_enough_and_heard(tmp_path):
    pictures, stamps = [counted(n % 25) for n in range(150)], [n / 25 for n in range(150)]
    check_clip(probe(write_clip(tmp_path / "good.mp4", pictures, stamps, click_at(1.0, 6.0))))
    with pytest.raises(VideoError, match="no sound"):
        check_clip(probe(write_clip(tmp_path / "silent.mp4", pictures, stamps)))
    with pytest.raises(VideoError, match="at least 5 s"):
        check_clip(probe(write_clip(tmp_path / "short.mp4", pictures[:50], stamps[:50], click_at(1.0, 2.0))))


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (25, Fraction(25)),
        (30, Fraction(30)),
        (30000 / 1001, Fraction(30000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (15, Fraction(24000, 1001)),
        (120, Fraction(60)),
    ],
)
def test_rates_snap_even_with_stamps_in_milliseconds(fps, expected):
    assert constant_fps(np.arange(300) / fps) == expected
    if fps < 100:
        assert constant_fps(np.round(np.arange(300) / fps, 3)) == expected


def test_rate_ignores_pauses():
    stamps = np.concatenate([np.arange(50) / 30, 20 + np.arange(50) / 30])
    assert constant_fps(stamps) == 30


@given(st.lists(st.floats(0.001, 0.3), min_size=1, max_size=40), st.integers(0, 10), st.integers(0, 40))
def test_constant_rate_is_the_nearest_frame(intervals, start, count):
    times = np.concatenate([[0.0], np.cumsum(intervals)])
    taken = list(constant_rate(zip(times.tolist(), times.tolist(), strict=True), Fraction(25), start, start + count))
    assert len(taken) == count
    for n, time in enumerate(taken, start):
        assert abs(time - n / 25) <= np.abs(times - n / 25).min() + 1e-9


@pytest.mark.parametrize("sound", [None, np.zeros(0, np.float32), np.full(16_000 * 10, 0.001, np.float32)])
def test_a_silent_clip_is_refused(sound: np.ndarray | None):
    with pytest.raises(VideoError, match=r"Only 0\.0 s of the clip's sound are loud enough"):
        check_voice(sound)


def test_a_clip_with_a_voice_passes():
    check_voice(np.sin(np.arange(16_000 * 3, dtype=np.float32)))
