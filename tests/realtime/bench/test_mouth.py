from fractions import Fraction

import numpy as np
import pytest

from realtime.bench.inside import Observed
from realtime.bench.mouth import acoustic, clicks_and_vowels
from realtime.bench.witness import Recording, Witness, thumbnail
from realtime.clock import samples_before
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE

FPS = Fraction(25)
ORIGIN = 50.0


class OpenMouthed:
    """Opens a dark mouth with the loudness of the samples, over a background that moves."""

    width = height = 256
    fps = FPS
    look_ahead = 0

    def initial_state(self, frame=0):
        return frame

    def step(self, samples, state):
        rng = np.random.default_rng(state)
        picture = np.full((256, 256, 3), 128, np.uint8)
        picture[:, :100] = rng.integers(100, 150)  # the background
        height = int(min(30, 300 * np.sqrt(np.mean(np.square(samples)))))
        picture[200 : 200 + height, 120:180] = 20
        return picture, state + 1


def performed(sound, work=0.01, animator=None, gain=1.0):
    animator = animator or OpenMouthed()
    witness = Witness()
    state = animator.initial_state()
    for number in range(int(len(sound) / SAMPLE_RATE * FPS)):
        piece = sound[samples_before(number, FPS) : samples_before(number + 1, FPS)]
        picture, state = animator.step(piece, state)
        thumb = (16 + gain * thumbnail(picture[:, :, 1])).astype(np.uint8)
        witness.see(number, ORIGIN + (number + 1) / 25 + work, thumb)
    return Observed(witness, Recording(sound, ORIGIN), None)


def test_each_vowel_begins_with_its_click_after_silence():
    sound, clicks = clicks_and_vowels(10)
    assert len(sound) >= 10 * SAMPLE_RATE
    assert len(clicks) > 8
    for click in clicks:
        assert not sound[click - SAMPLE_RATE // 2 : click].any()
        assert sound[click] == pytest.approx(0.8)
        assert np.abs(sound[click + 100 : click + 2000]).max() > 0.1


@pytest.mark.parametrize("gain", [1.0, 0.86])  # the full and the limited range of grey
def test_the_frame_that_opens_the_mouth_is_found(gain):
    sound, clicks = clicks_and_vowels(12)
    found = acoustic(OpenMouthed(), performed(sound, gain=gain), sound, sound, clicks)
    assert found["found"] == found["of"] >= 7
    # The frame during which the vowel begins is drawn when it has ended.
    assert 10 <= found["delay"]["p50"] <= 10 + 40
    assert -40 <= found["mouth_after_sound_in_media_time"]["p50"] <= 0


def test_a_face_that_does_not_move_is_told_from_one_that_does():
    class Mute(OpenMouthed):
        def step(self, samples, state):
            return super().step(np.zeros_like(samples), state)

    sound, clicks = clicks_and_vowels(8)
    with pytest.raises(InputError, match="did not open"):
        acoustic(Mute(), performed(sound, animator=Mute()), sound, sound, clicks)
