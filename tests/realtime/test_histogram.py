import numpy as np
import pytest

from realtime.histogram import Histogram


def filled(values):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_are_within_one_percent(percent):
    seconds = np.random.default_rng(0).lognormal(-4, 1, 20_000)
    assert filled(seconds).percentile(percent) == pytest.approx(np.percentile(seconds, percent), rel=0.012)


def test_extremes():
    assert Histogram().percentile(99) == 0
    histogram = filled([0.0, -1e-9, 5000.0])
    assert histogram.report()["max_ms"] == 5_000_000
    assert histogram.report()["p50_ms"] == pytest.approx(0.001)


def test_days_stay_small():
    assert len(filled(np.random.default_rng(0).uniform(0.001, 0.05, 100_000))._buckets) < 300


def test_two_merged_are_one_and_the_difference_is_the_other():
    first, second = filled([0.01, 0.02]), filled([0.5])
    both = filled([])
    both.merge(first)
    both.merge(second)
    assert both.report() == filled([0.01, 0.02, 0.5]).report()
    assert both.since(first).report()["p50_ms"] == second.report()["p50_ms"]
    assert both.since(first).count == 1


def test_cumulative_counts_never_fall_and_end_with_all():
    counts = filled([0.004, 0.006, 0.03, 9.0]).cumulative([0.001, 0.005, 0.05, 10])
    assert counts == [0, 1, 3, 4]
