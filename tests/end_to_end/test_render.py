"""`serve.py render` with the bundled puppet, run as a stranger would."""

import json
import signal
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest
from ctrl_c import heed_ctrl_c

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "models" / "bundled" / "hello.wav"
LIMIT_MB = 1500

MEASURED = """
import pathlib, re, runpy, sys
{before}
sys.argv = {argv!r}
try:
    runpy.run_path("serve.py", run_name="__main__")
except SystemExit as end:
    print("exit", end.code)
print("torch", "torch" in sys.modules)
# Of this process alone: getrusage would count the tests' own memory, from before the command began.
print("peak_mb", int(re.search(r"VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""


def measured(argv: list[str], before: str = "") -> dict[str, str]:
    """Run serve.py in a process of its own that says how it ended, what it imported and how much memory it took."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(argv=argv, before=before)],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if len(line.split()) == 2)


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    video = tmp_path_factory.mktemp("render") / "hello.mp4"
    return video, measured(["serve.py", "render", str(HELLO), str(video), "--report", str(video.with_suffix(".json"))])


def seconds_of(path: Path) -> Fraction:
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        return sum((Fraction(f.samples, f.sample_rate) for f in file.decode(stream)), Fraction(0))


def test_the_video_is_as_long_as_the_voice(hello: tuple[Path, dict[str, str]]):
    with av.open(str(hello[0])) as file:
        stream = file.streams.video[0]
        frames = [frame.pts * stream.time_base for frame in file.decode(stream)]
        fps = stream.average_rate
        assert (stream.width, stream.height) == (512, 512)
    assert frames[0] == 0
    assert abs(len(frames) - seconds_of(HELLO) * fps) <= 1
    np.testing.assert_allclose(np.diff([float(t) for t in frames]), float(1 / fps), atol=1e-3)


def test_the_mouth_moves_and_the_rest_plays_on(hello: tuple[Path, dict[str, str]]):
    with av.open(str(hello[0])) as file:
        pictures = [frame.to_ndarray(format="rgb24").astype(np.float32) for frame in file.decode(video=0)]
    change = np.mean([np.abs(b - a).mean(axis=2) for a, b in pairwise(pictures)], axis=0)
    assert change[280:400, 200:320].mean() > 2 * change[:60, :100].mean(), "the mouth's region hardly moves"


def test_the_report_names_times_and_counts(hello: tuple[Path, dict[str, str]]):
    report = json.loads(hello[0].with_suffix(".json").read_text())
    assert report["counts"]["frames"] == ceil(seconds_of(HELLO) * 25)
    assert {"animate", "show_VideoFile"} <= report["stages"].keys()
    assert report["look_ahead_ms"] == 160
    assert report["first_frame_s"] > 0
    assert report["machine"]["cores"] >= 1


def test_memory_stays_low_and_torch_is_not_imported(hello: tuple[Path, dict[str, str]]):
    assert hello[1]["exit"] == "0"
    assert hello[1]["torch"] == "False"
    assert int(hello[1]["peak_mb"]) <= LIMIT_MB


def test_the_proof_that_torch_is_absent_can_fail():
    assert measured(["serve.py", "--help"], before="import torch")["torch"] == "True"


def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path: Path):
    video = tmp_path / "long.mp4"
    process = subprocess.Popen(
        [sys.executable, "serve.py", "render", str(HELLO), str(video)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    while process.poll() is None and not list(tmp_path.iterdir()):
        pass  # until the file begins to grow
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Stopped; nothing is left half done."
    assert not list(tmp_path.iterdir())
