"""`serve.py bench` with the bundled puppet, as a person would run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def serve(*arguments):
    return subprocess.run([sys.executable, "serve.py", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def test_figures_are_printed_written_and_compared(tmp_path):
    done = serve("bench", "--seconds", 6, "--json", tmp_path / "a.json")
    if done.returncode == 2 and "has not kept up" in done.stderr:
        pytest.skip("the machine is too busy to perform in real time")
    assert done.returncode == 0, done.stderr
    assert "delay, steady" in done.stdout
    result = json.loads((tmp_path / "a.json").read_text())
    assert result["puppet"] == "jester"
    assert result["look_ahead_ms"] == 40
    assert result["stages_ms"]["renderer"]["p50"] > 0.5
    assert result["delay_ms"]["p50"] > 60
    assert result["floor_ms"]["p50"] > 58
    compared = serve("bench", "compare", tmp_path / "a.json", tmp_path / "a.json")
    assert compared.returncode == 0, compared.stderr
    assert "1.00" in compared.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--through", "telepathy"), "telepathy"),
        (("--seconds", "1"), "seconds"),
        (("compare", "nowhere.json", "nowhere.json"), "nowhere.json cannot be read: No such file or directory."),
    ],
)
def test_what_the_user_can_fix(arguments, sentence):
    done = serve("bench", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
