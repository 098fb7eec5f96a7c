import numpy as np
import pytest
from fakes import voice

from realtime.bench.alignment import align
from realtime.media import SAMPLE_RATE


@pytest.mark.parametrize("lag", [-7000, 0, 123, 20_000])
def test_a_delayed_noisy_quieter_voice_is_found_to_the_sample(lag):
    sound = voice(8)
    rng = np.random.default_rng(1)
    other = rng.normal(0, 0.01, len(sound) + 2 * abs(lag)).astype(np.float32)
    if lag >= 0:
        other[lag : lag + len(sound)] += 0.5 * sound
    else:
        other[: len(sound) + lag] += 0.5 * sound[-lag:]
    found = align(sound, other)
    middle = np.array([3.0, 4.0, 5.0]) * SAMPLE_RATE
    assert found.found
    assert found.to_other(middle) == pytest.approx(middle + lag, abs=1)


def test_sound_that_was_lost_on_the_way_moves_what_follows():
    sound = voice(16)
    other = np.delete(sound, slice(8 * SAMPLE_RATE, 8 * SAMPLE_RATE + 320))
    found = align(sound, other)
    assert found.to_other(np.array([3.0 * SAMPLE_RATE])) == pytest.approx(3 * SAMPLE_RATE)
    assert found.to_other(np.array([13.0 * SAMPLE_RATE])) == pytest.approx(13 * SAMPLE_RATE - 320)


def test_strangers_have_nothing_in_common():
    assert not align(voice(8, seed=1), voice(8, seed=2)).found
    assert not align(voice(8), np.zeros(8 * SAMPLE_RATE, np.float32)).found
