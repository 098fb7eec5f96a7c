import json

import numpy as np
import pytest

from realtime.telemetry import Histogram, Telemetry


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_within_one_percent(percent):
    seconds = np.random.default_rng(0).lognormal(-4, 1, 20_000)
    histogram = Histogram()
    for value in seconds:
        histogram.add(value)
    assert histogram.percentile(percent) == pytest.approx(np.percentile(seconds, percent), rel=0.012)


def test_extremes():
    histogram = Histogram()
    assert histogram.percentile(99) == 0
    for value in (0.0, -1e-9, 5000.0):
        histogram.add(value)
    assert histogram.report()["max_ms"] == 5_000_000
    assert histogram.report()["p50_ms"] == pytest.approx(0.001)


def test_days_stay_small():
    histogram = Histogram()
    for value in np.random.default_rng(0).uniform(0.001, 0.05, 100_000):
        histogram.add(value)
    assert len(histogram._buckets) < 300


def test_the_report_is_json():
    telemetry = Telemetry()
    with telemetry.measure("draw"):
        pass
    telemetry.count("frames", 3)
    telemetry.note("elapsed_s", 1.23456)
    report = json.loads(json.dumps(telemetry.report()))
    assert report["counts"] == {"frames": 3}
    assert report["elapsed_s"] == 1.235
    assert report["stages"]["draw"]["count"] == 1
