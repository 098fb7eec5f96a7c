"""The live path draws each frame at its moment, from no more sound than it declares."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from models.puppet import Puppet
from models.puppeteer import Puppeteer
from models.voice_stream import HOP, SAMPLE_RATE, VoiceStream

COEFFICIENTS = 48


class Clock:
    """A voice network whose coefficients all tell the moment that a row describes, in samples."""

    def __init__(self, look_ahead_ms=80):
        self.look_ahead = look_ahead_ms * SAMPLE_RATE // 1000

    def __call__(self, feed):
        hops = feed["state.hops"] + np.arange(1, 1 + feed["samples"].shape[1] // HOP, dtype=np.float32)
        rows = np.repeat((hops * HOP - self.look_ahead)[:, None], COEFFICIENTS, axis=1)
        return {"expression": rows.astype(np.float32), "next_state.hops": hops[-1:]}

    def initial_state(self):
        return {"state.hops": np.zeros(1, np.float32)}


class Asked:
    """A portrait that keeps what it is asked for."""

    def __init__(self):
        self.moments, self.behind = [], []

    def __call__(self, expression, number):
        self.moments.append(float(expression[0]))
        self.behind.append(number)
        return np.zeros((512, 512, 3), np.uint8)


@pytest.fixture(params=["25/1", "30/1", "30000/1001", "50/1"])
def puppet(request: pytest.FixtureRequest) -> Puppet:
    bundled = Puppet.bundled()
    return replace(bundled, manifest=replace(bundled.manifest, fps=request.param))


def samples_before(frame: int, fps: Fraction) -> int:
    return frame * SAMPLE_RATE * fps.denominator // fps.numerator


@pytest.mark.parametrize("look_ahead_ms", [0, 40, 80])
def test_every_frame_shows_the_moment_at_which_it_begins(puppet: Puppet, look_ahead_ms: int):
    clock = Clock(look_ahead_ms)
    portrait = Asked()
    direct = replace(
        puppet.voice, gain=np.eye(COEFFICIENTS, dtype=np.float32), offset=np.zeros(COEFFICIENTS, np.float32)
    )
    puppeteer = Puppeteer(replace(puppet, voice=direct), VoiceStream(clock, look_ahead_ms), portrait)
    state, given = puppeteer.initial_state(), 0
    for frame in range(80):
        if frame == 40:  # the stream is flushed: its voice begins anew
            state = puppeteer.initial_state(frame)
        needed = samples_before(frame + 1, puppeteer.fps) + puppeteer.look_ahead
        _, state = puppeteer.step(np.zeros(needed - given, np.float32), state)
        given = needed
    begins = np.array([samples_before(frame, puppeteer.fps) for frame in range(80)])
    np.testing.assert_allclose(portrait.moments[:40], begins[:40], atol=0.01)
    forgotten = begins[40] + puppeteer.look_ahead
    expected = np.maximum(begins[40:] - forgotten, HOP - clock.look_ahead)
    np.testing.assert_allclose(portrait.moments[40:], expected, atol=0.01)


@pytest.mark.parametrize("look_ahead_ms", [0, 40, 80])
def test_what_is_declared_is_little(puppet: Puppet, look_ahead_ms: int):
    clock = Clock(look_ahead_ms)
    puppeteer = Puppeteer(puppet, VoiceStream(clock, look_ahead_ms), Asked())
    frame = SAMPLE_RATE / float(puppeteer.fps)
    assert clock.look_ahead - frame <= puppeteer.look_ahead < clock.look_ahead - frame + HOP + 1


def test_before_anything_is_heard_the_face_rests():
    portrait = Asked()
    puppeteer = Puppeteer(Puppet.bundled(), VoiceStream(Clock(0), 0), portrait)
    assert puppeteer.look_ahead == -640
    puppeteer.step(np.zeros(0, np.float32), puppeteer.initial_state())
    assert portrait.moments == pytest.approx([Puppet.bundled().voice.offset[0]])


@pytest.mark.parametrize("fps", [Fraction(50), Fraction(30), Fraction(15)])
def test_the_mouth_has_its_own_rate_and_the_background_keeps_its(fps: Fraction):
    portrait = Asked()
    puppeteer = Puppeteer(Puppet.bundled(), VoiceStream(Clock(), 80), portrait, fps, (640, 360))
    state = puppeteer.initial_state()
    for frame in range(2 * int(fps)):
        new = samples_before(frame + 1, fps) - samples_before(frame, fps)
        picture, state = puppeteer.step(np.zeros(new + (frame == 0) * puppeteer.look_ahead, np.float32), state)
        assert picture.shape == (360, 640, 3)
    assert portrait.behind == [int(frame * 25 / fps) for frame in range(2 * int(fps))]
