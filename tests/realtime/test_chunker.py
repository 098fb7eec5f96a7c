from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.chunker import Chunker
from realtime.clock import samples_before
from realtime.media import SAMPLE_RATE, AudioChunk

RATES = st.sampled_from([Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(24), Fraction(7, 2)])
LOOK_AHEADS = st.sampled_from([0, 1, 640, 1280, 3840, -1, -374, -533])


def cut(samples, sizes, start=0):
    """Chunks of these sizes, over and over, until the samples are used up."""
    at = 0
    while at < len(samples):
        for size in sizes:
            yield AudioChunk(samples[at : at + size], start + at)
            at = min(at + size, len(samples))
            if at == len(samples):
                break


def drives(chunker, chunks):
    return [drive for chunk in chunks for drive in chunker.push(chunk)] + chunker.flush()


@settings(deadline=None)
@given(
    RATES,
    LOOK_AHEADS,
    st.integers(0, 12_000),
    st.lists(st.integers(0, 5_000), min_size=1, max_size=5).filter(any),
)
def test_any_cut_gives_the_same_frames(fps, look_ahead, length, sizes):
    samples = np.arange(1, length + 1, dtype=np.float32)
    found = drives(Chunker(fps, look_ahead), cut(samples, sizes))
    late = max(0, -look_ahead) if length else 0
    assert len(found) == -(-(length + late) * fps.numerator // (SAMPLE_RATE * fps.denominator))
    end = samples_before(len(found), fps) + look_ahead
    padded = np.concatenate([samples, np.zeros(max(0, end - length), np.float32)])
    given_so_far = 0
    for number, drive in enumerate(found):
        needed = samples_before(number + 1, fps) + look_ahead
        assert drive.number == number
        np.testing.assert_array_equal(drive.samples, padded[given_so_far:needed])
        begins, ends = (max(0, samples_before(n, fps) - late) for n in (number, number + 1))
        assert drive.sound.start == begins
        np.testing.assert_array_equal(drive.sound.samples, padded[begins:ends])
        given_so_far = needed
    assert not found or ends >= length  # all sound came out


@given(RATES, LOOK_AHEADS, st.integers(1, 8_000))
@settings(deadline=None)
def test_a_frame_comes_with_the_last_sample_it_needs(fps, look_ahead, extra):
    chunker = Chunker(fps, look_ahead)
    needed = samples_before(1, fps) + look_ahead
    almost = max(0, needed - 1)
    assert needed == 0 or chunker.push(AudioChunk(np.zeros(almost, np.float32), 0)) == []
    assert chunker.push(AudioChunk(np.zeros(extra, np.float32), almost))[0].number == 0


def test_nothing_heard_makes_no_frame():
    assert Chunker(Fraction(25), 1280).flush() == []


def test_a_stream_may_start_anywhere():
    found = drives(Chunker(Fraction(25), 0), [AudioChunk(np.ones(640, np.float32), 123_456)])
    assert [drive.sound.start for drive in found] == [0]


def test_lost_sound_becomes_silence_and_is_counted():
    chunker = Chunker(Fraction(25), 0)
    pieces = [AudioChunk(np.ones(600, np.float32), 0), AudioChunk(np.ones(600, np.float32), 680)]
    sound = np.concatenate([drive.sound.samples for drive in drives(chunker, pieces)])
    assert chunker.filled == 80
    np.testing.assert_array_equal(sound, np.repeat([1, 0, 1], [600, 80, 600]))


def test_sound_that_comes_twice_is_refused():
    chunker = Chunker(Fraction(25), 0)
    chunker.push(AudioChunk(np.zeros(100, np.float32), 0))
    with pytest.raises(ValueError, match="twice"):
        chunker.push(AudioChunk(np.zeros(100, np.float32), 50))


def test_hours_keep_bounded_memory():
    chunker = Chunker(Fraction(30000, 1001), 1280)
    second = np.zeros(SAMPLE_RATE, np.float32)
    frames = sum(len(chunker.push(AudioChunk(second, number * SAMPLE_RATE))) for number in range(3 * 3600))
    frames += len(chunker.flush())
    assert frames == -(-3 * 3600 * 30_000 // 1001)
    assert len(chunker._kept) <= 1280 + SAMPLE_RATE // 29


@pytest.mark.parametrize("look_ahead", [-640, -320, 0, 640, 1280])
def test_a_new_generation_completes_the_frame_in_hand_with_silence(look_ahead):
    chunker = Chunker(Fraction(25), look_ahead)
    loud = np.ones(3000, np.float32)
    before = chunker.push(AudioChunk(loud, 0))
    (flushed,) = chunker.push(AudioChunk(loud[:0], 3000, 1))
    assert flushed.number == len(before)
    assert flushed.sound.generation == 1
    assert not flushed.samples.any()
    assert not flushed.sound.samples.any()
    after = chunker.push(AudioChunk(loud[:640], 3000, 1))
    assert [drive.number for drive in after] == [flushed.number + 1]
    assert after[0].samples.all()
    late = max(0, -look_ahead)
    assert np.count_nonzero(after[0].sound.samples) == (640 if late else min(640, max(0, 640 - look_ahead)))
    assert chunker.filled == 0
