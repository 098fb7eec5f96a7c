from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import MonotonicClock, frames_for, samples_before
from realtime.media import SAMPLE_RATE

RATES = st.sampled_from([Fraction(25), Fraction(30), Fraction(24), Fraction(50), Fraction(30000, 1001), Fraction(1, 3)])


@given(RATES, st.integers(0, 10**9))
def test_frames_tile_the_samples(fps, frame):
    here, after = samples_before(frame, fps), samples_before(frame + 1, fps)
    assert 0 <= after - here - int(SAMPLE_RATE / fps) <= 1
    assert here == int(Fraction(frame * SAMPLE_RATE) / fps)


@given(RATES, st.integers(0, 10**12))
def test_frames_cover_the_samples_and_no_more(fps, samples):
    frames = frames_for(samples, fps)
    assert samples_before(frames, fps) >= samples
    assert frames == 0 or samples_before(frames - 1, fps) < samples


def test_a_day_of_ntsc_does_not_drift():
    fps = Fraction(30000, 1001)
    assert samples_before(86_400 * 30_000 // 1001, fps) / SAMPLE_RATE == pytest.approx(86_400, abs=1 / 25)


async def test_the_clock_goes_forward_and_waits():
    clock = MonotonicClock()
    before = clock.now()
    await clock.sleep_until(before - 1)
    await clock.sleep_until(before + 0.002)
    assert clock.now() >= before + 0.001
