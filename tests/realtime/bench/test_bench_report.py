import json

import numpy as np
import pytest
from made_up_runs import outcome
from rich.console import Console

from realtime.bench import plot, report
from realtime.bench.figures import figures
from realtime.bench.machine import machine
from realtime.errors import InputError

KEYS = {
    "machine", "puppet", "engine", "size", "fps", "look_ahead_ms", "through", "seconds", "delay_ms", "onset_ms",
    "frame_ms", "stages_ms", "floor_ms", "missed", "offset_ms", "drift_ms_per_h", "cpu_cores",
}  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    result, series = figures(outcome(), "null")
    about = {"machine": machine(), "puppet": "nobody", "engine": "none", "size": "64x48", "fps": 25.0}
    return about | {"look_ahead_ms": 40, "through": "null", "seconds": 18.0} | result, series


def printed(table):
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


def test_the_file_has_the_keys_that_were_agreed(measured, tmp_path):
    report.write(tmp_path / "a.json", measured[0])
    written = json.loads((tmp_path / "a.json").read_text())
    assert written.keys() >= KEYS
    assert written["machine"].keys() >= {"processor", "cores", "load", "system", "libraries"}
    assert written["machine"]["libraries"]["numpy"] == np.__version__
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_table_has_the_figures(measured):
    text = printed(report.table(measured[0]))
    assert "delay, steady" in text
    assert f"{measured[0]['delay_ms']['p95']:.1f}" in text
    assert "as declared" in " ".join(text.split())


def test_two_files_are_compared_by_their_ratio(measured, tmp_path):
    report.write(tmp_path / "a.json", measured[0])
    half = measured[0] | {"cpu_cores": measured[0]["cpu_cores"] / 2, "look_ahead_ms": 0}
    report.write(tmp_path / "b.json", half)
    lines = printed(report.compare(tmp_path / "a.json", tmp_path / "b.json")).splitlines()
    assert "0.50" in next(line for line in lines if "cpu_cores" in line)
    assert "differs" in next(line for line in lines if "look_ahead_ms" in line)
    assert "1.00" in next(line for line in lines if "delay_ms p50" in line)


@pytest.mark.parametrize("text", ["{}", "[]", "no", '{"delay_ms": 3}'])
def test_a_file_of_something_else_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        report.compare(tmp_path / "a.json", tmp_path / "a.json")


def test_nothing_is_left_where_nothing_can_be_written(measured, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        report.write(tmp_path / "nowhere" / "a.json", measured[0])


def test_the_picture_is_a_picture(measured, tmp_path):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    plot.check()
    plot.plot(tmp_path / "delay.png", *measured)
    picture = cv2.imread(str(tmp_path / "delay.png"))
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_without_matplotlib_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"marotte\[bench\]"):
        plot.check()
