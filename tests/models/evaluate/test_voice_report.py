"""What is printed of the voice network's figures."""

from math import nan

import pytest
from rich.console import Console

from models.evaluate.voice_report import show


def row(model, ms, clip, r, closure=0.8):
    return {
        "model": model, "look_ahead_ms": ms, "clip": clip, "r": r, "amplitude": 1.02, "lmd_percent": 3.5,
        "closure": closure, "teeth": nan,
    }  # fmt: skip


@pytest.fixture
def printed():
    rows = [row("ridge", 80, "one", 0.31), row("marotte", 80, "one", 0.5), row("marotte", 80, "two", 0.6, closure=nan)]
    real = [{"clip": "one", "still_lmd_percent": 4.08, "closure": 0.91, "teeth": 0.7}]
    silence = [
        {"noise": name + after, "look_ahead_ms": 80, "lip_speed": speed, "natural": 0.38, "false_openings_per_min": n}
        for name, speed, n in (("room noise", 0.01, 1.0), ("music", 0.2, 4.0))
        for after in ("", " after speech")
    ]
    onset = [
        {
            "before": "silence",
            "look_ahead_ms": 80,
            "syllables": 9,
            "late_ms": -41.0,
            "late_ms_p90": 35.0,
            "too_late": 0.1,
        }
    ]
    console = Console(width=120, force_terminal=False)
    with console.capture() as capture:
        show({"curve": rows, "leave_one_out": [], "real": real, "silence": silence, "onset": onset}, console)
    return [line.split() for line in capture.get().splitlines()]


def test_means_are_over_clips_and_over_what_is_known(printed):
    assert ["marotte", "80", "0.55", "1.02", "3.50", "0.80"] in printed
    assert ["the", "person", "1.00", "1.00", "0.00", "0.91", "0.70"] in printed
    assert ["a", "still", "mouth", "0.00", "4.08"] in printed


def test_ours_come_first(printed):
    models = [line[0] for line in printed if len(line) > 2 and line[1] == "80"]
    assert models == ["marotte", "ridge"]


def test_every_clip_has_its_line(printed):
    assert ["one", "0.50", "0.31", "1.02", "3.50", "4.08", "0.80"] in printed
    assert ["two", "0.60", "1.02", "3.50"] in printed


def test_the_liveliest_noise_comes_first(printed):
    noises = [line for line in printed if line and line[-1] in ("1.00", "4.00")]
    assert noises == [
        ["music", "0.20", "0.20", "4.00", "4.00"],
        ["room", "noise", "0.01", "0.01", "1.00", "1.00"],
    ]


def test_nobody_is_shown_who_was_not_judged(printed):
    assert not [line for line in printed if line[:1] == ["Stranger:"]]


def test_first_sounds_have_their_lines(printed):
    assert ["after", "silence", "80", "-41", "35", "0.10"] in printed
