import numpy as np
import pytest

from realtime.media import SAMPLE_RATE, AudioChunk
from realtime.sinks.playout import LEAST, MOST, SLACK, PlayoutBuffer

FRAME = 640
BLOCK = 160


def play(seconds, drift=0.0, sound=None, jitter=None):
    """Push a frame every 40 ms and pull a block every 10 ms of a clock that runs faster by `drift`."""
    buffer, out, levels = PlayoutBuffer(), [], []
    pushed = 0
    for block in range(int(seconds * 100)):
        now = (block + 0.5) * BLOCK / (1 + drift)
        while pushed * FRAME + (jitter[pushed] if jitter is not None else 0) <= now:
            start = pushed * FRAME
            piece = sound[start : start + FRAME] if sound is not None else np.ones(FRAME, np.float32)
            buffer.push(AudioChunk(np.asarray(piece, np.float32), start))
            pushed += 1
        out.append(buffer.pull(BLOCK))
        levels.append(len(buffer._samples))
    return buffer, np.concatenate(out), np.array(levels)


def test_what_is_pushed_is_pulled_unchanged_and_soon():
    sound = np.random.default_rng(0).uniform(-1, 1, 10 * SAMPLE_RATE)
    buffer, out, _ = play(9, sound=sound)
    begin = np.flatnonzero(out)[0]
    assert begin <= LEAST + BLOCK
    np.testing.assert_array_equal(out[begin:], sound[: len(out) - begin].astype(np.float32))
    assert (buffer.lost, buffer.missing) == (0, 0)


@pytest.mark.parametrize("drift", [-3e-4, 1e-4, 3e-4])
def test_clocks_that_differ_neither_starve_nor_delay(drift):
    buffer, out, levels = play(1200, drift)
    assert (buffer.lost, buffer.missing) == (0, 0)
    assert levels.max() <= FRAME + LEAST + 2 * SLACK + BLOCK
    assert out[LEAST + BLOCK :].min() == pytest.approx(1)


def test_a_tone_stays_clean_while_the_speed_is_corrected():
    seconds = 60
    tone = np.sin(2 * np.pi * 440 * np.arange((seconds + 1) * SAMPLE_RATE) / SAMPLE_RATE)
    _, out, _ = play(seconds, 3e-4, tone)
    spectrum = np.abs(np.fft.rfft(out[-SAMPLE_RATE:] * np.hanning(SAMPLE_RATE)))
    power = spectrum**2
    assert power[435:446].sum() / power.sum() > 0.999


def test_pieces_that_come_late_leave_silence_and_the_buffer_recovers():
    jitter = np.zeros(2000)
    jitter[500] = 2000  # 125 ms late, and those after it wait for it
    buffer, out, levels = play(60, jitter=jitter)
    assert 0 < buffer.missing < 2500
    assert levels[-100:].max() <= FRAME + LEAST + 2 * SLACK + BLOCK
    assert out[-SAMPLE_RATE:].all()


def test_what_nobody_pulls_is_bounded():
    buffer = PlayoutBuffer()
    for number in range(100):
        buffer.push(AudioChunk(np.full(FRAME, number, np.float32), number * FRAME))
    assert len(buffer._samples) == MOST
    assert buffer.lost == 100 * FRAME + LEAST - MOST
    assert buffer.pull(BLOCK)[0] == 100 - MOST // FRAME - 1


def test_a_gap_becomes_silence():
    buffer = PlayoutBuffer()
    buffer.push(AudioChunk(np.ones(FRAME, np.float32), 0))
    buffer.push(AudioChunk(np.ones(FRAME, np.float32), 2 * FRAME))
    heard = buffer.pull(LEAST + 3 * FRAME)[LEAST:]
    np.testing.assert_array_equal(heard, np.repeat([1, 0, 1], FRAME))
