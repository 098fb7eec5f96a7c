import json
import re

import pytest

from realtime.status_line import StatusLine
from realtime.telemetry import RECENT_S, Telemetry, healthy, prometheus


class HandClock:
    """Time that the test sets."""

    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    async def sleep_until(self, when):
        raise NotImplementedError


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def telemetry(clock):
    return Telemetry(clock)


def test_the_report_is_json(telemetry):
    with telemetry.measure("draw"):
        pass
    telemetry.count("frames", 3)
    telemetry.note("elapsed_s", 1.23456)
    report = json.loads(json.dumps(telemetry.report()))
    assert report["counts"] == {"frames": 3}
    assert report["elapsed_s"] == 1.235
    assert report["stages"]["draw"]["count"] == 1


def test_missed_deadlines_make_a_stream_unhealthy_until_it_has_recovered(telemetry, clock):
    assert telemetry.healthy()
    telemetry.count("frames", 98)
    telemetry.count("frames_dropped_late", 2)
    assert telemetry.missed() == pytest.approx(0.02)
    assert not telemetry.healthy()
    assert not healthy([Telemetry(clock), telemetry])
    for _ in range(RECENT_S + 1):
        clock.time += 1
        telemetry.count("frames", 25)
    assert telemetry.healthy()
    assert telemetry.missed() > 0


def test_one_frame_lost_in_two_hundred_is_still_healthy(telemetry):
    telemetry.count("frames", 199)
    telemetry.count("frames_dropped_NullSink", 1)
    assert telemetry.healthy()


def test_prometheus_reads_histograms_counters_and_gauges(telemetry, clock):
    prometheus_client = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client")
    ended = Telemetry(clock)
    ended.record("animate", 0.012)
    ended.count("frames", 5)
    telemetry.record("animate", 0.2)
    telemetry.record("delay", 0.07)
    telemetry.record("show_NullSink", 5.0)
    telemetry.count("frames", 2)
    telemetry.note("offset_ms", -3)
    families = {
        family.name: {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}
        for family in prometheus_client.text_string_to_metric_families(prometheus([telemetry], ended))
    }
    stage = families["marotte_stage_seconds"]
    assert stage["marotte_stage_seconds_bucket", "animate", "0.015"] == 1
    assert stage["marotte_stage_seconds_bucket", "animate", "0.25"] == 2
    assert stage["marotte_stage_seconds_bucket", "show_NullSink", "2.5"] == 0
    assert stage["marotte_stage_seconds_bucket", "show_NullSink", "+Inf"] == 1
    assert stage["marotte_stage_seconds_sum", "animate"] == pytest.approx(0.212)
    assert families["marotte_delay_seconds"]["marotte_delay_seconds_count",] == 1
    assert families["marotte_frames"]["marotte_frames_total",] == 7
    assert families["marotte_offset_ms"]["marotte_offset_ms",] == -3
    assert families["marotte_healthy"]["marotte_healthy",] == 1


def test_prometheus_text_of_nothing_says_healthy():
    lines = prometheus([]).splitlines()
    assert "marotte_streams 0" in lines
    assert "marotte_healthy 1" in lines
    assert 'marotte_delay_seconds_bucket{le="+Inf"} 0' in lines


def test_the_status_line_tells_the_last_second_only(telemetry, clock):
    telemetry.record("delay", 5.0)
    telemetry.count("frames", 500)
    line = StatusLine(telemetry)
    clock.time += 2
    for _ in range(50):
        telemetry.count("frames")
        telemetry.record("delay", 0.070)
        telemetry.record("animate", 0.012)
    said = line.next()
    assert "25.0 frames/s" in said
    delay, drawing = (float(re.search(rf"{what} ([\d.]+) ms", said)[1]) for what in ("delay", "drawing"))
    assert delay == pytest.approx(70, abs=1)
    assert drawing == pytest.approx(12, abs=0.2)
    clock.time += 1
    assert " 0.0 frames/s" in line.next()
