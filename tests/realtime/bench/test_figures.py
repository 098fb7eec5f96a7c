"""Figures from made-up runs whose delays are known."""

import numpy as np
import pytest
from fakes import voice
from made_up_runs import ORIGIN, PLAN, outcome

from realtime.bench.figures import figures
from realtime.bench.rehearsal import Phase
from realtime.bench.witness import Recording, Witness
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE


def test_the_delay_is_look_ahead_and_wait_for_the_frame_and_work():
    result, _ = figures(outcome(), "null")
    assert result["delay_ms"]["p50"] == pytest.approx(40 + 20 + 12, abs=1)
    assert result["delay_ms"]["p95"] == pytest.approx(40 + 37.5 + 12, abs=1)
    assert result["floor_ms"]["p50"] == pytest.approx(40 + 20 + 2, abs=1)
    assert result["declared_ms"]["mean"] == pytest.approx(60, abs=0.5)
    assert result["declared_ms"]["rest"] == pytest.approx(0, abs=0.5)
    assert result["declared_ms"]["verdict"] == "as declared"
    assert result["missed"] == 0
    assert result["frame_ms"]["p50"] == pytest.approx(12, rel=0.01)
    assert result["stages_ms"]["look_ahead"]["p50"] == 40


def test_more_look_ahead_is_more_delay():
    result, _ = figures(outcome(look_ahead=640), "null")
    assert result["delay_ms"]["p50"] == pytest.approx(112, abs=1)
    assert result["declared_ms"]["verdict"] == "as declared"


def test_a_stream_that_begins_late_has_the_same_delay():
    result, _ = figures(outcome(heard_from=4807), "webrtc")
    assert result["delay_ms"]["p50"] == pytest.approx(72, abs=1)


def test_delay_that_no_stage_admits_is_reported():
    secretive = outcome()
    secretive.witness.times = [at + 0.05 for at in secretive.witness.times]
    result, _ = figures(secretive, "null")
    assert result["declared_ms"]["verdict"].startswith("MISMATCH: 50 ms")
    assert "MISMATCH" not in figures(secretive, "chromium")[0]["declared_ms"]["verdict"]  # there it is the way


def test_a_frame_before_its_sound_is_reported():
    prophetic = outcome()
    prophetic.witness.times = [at - 0.03 for at in prophetic.witness.times]
    assert "before all that they should wait for" in figures(prophetic, "null")[0]["declared_ms"]["verdict"]


def test_frames_that_were_not_seen_or_late_are_missed_and_delay_the_moments_before():
    holed = outcome()
    real = [at for at, number in enumerate(holed.witness.numbers) if PLAN.phase(number) is Phase.REAL]
    holed.witness.times[real[10]] += 0.030
    for at in (real[40], real[30]):
        del holed.witness.times[at], holed.witness.numbers[at]
    result, _ = figures(holed, "null")
    assert result["missed"] == pytest.approx(3 / len(real), abs=1e-5)
    assert result["stages_ms"]["frames_left_out"]["mean"] == pytest.approx(2 * 40 / len(real), rel=0.05)


def test_the_onset_is_the_second_after_a_pause():
    calm = outcome()
    quiet = calm.captured.samples.copy()
    quiet[2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = 0
    slow = Witness()
    for number, at in zip(calm.witness.numbers, calm.witness.times, strict=True):
        slow.see(number, at + (0.05 if 75 <= number < 100 else 0.0))
    result, _ = figures(outcome(witness=slow, captured=Recording(quiet, ORIGIN), heard=quiet), "null")
    assert result["delay_ms"]["p99"] < 93
    assert result["onset_ms"]["p95"] == pytest.approx(50 + 40 + 12 + 36, abs=2)  # the stream's first second counts too


def test_sound_that_drifts_away_from_the_picture():
    true = outcome()
    rate = 1 / SAMPLE_RATE * (1 + 100e-6)  # 100 ppm: 360 ms in an hour
    late = Recording(true.captured.samples, ORIGIN + 0.052 + 0.030, rate)
    result, _ = figures(outcome(returned=late), "chromium")
    assert result["offset_ms"]["p50"] == pytest.approx(30, abs=3)
    assert result["drift_ms_per_h"] == pytest.approx(360, abs=5)


def test_an_empty_run_is_told_in_a_sentence():
    with pytest.raises(InputError, match="only 0 frame numbers"):
        figures(outcome(witness=Witness()), "null")
    with pytest.raises(InputError, match="lost on its way"):
        figures(outcome(heard=voice(18, seed=5)), "null")


def test_stamps_are_taken_at_their_most_punctual():
    ends = np.arange(1, 1001) * 160
    stamps = 5.0 + ends / SAMPLE_RATE + np.random.default_rng(0).exponential(0.004, 1000)
    recording = Recording.stamped(np.zeros(160_000, np.float32), ends, stamps)
    assert float(recording.time(np.float64(80_000))) == pytest.approx(10.0, abs=0.002)
