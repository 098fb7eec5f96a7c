"""How the commands end: exit codes and one sentence each, as a shell sees them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CAMERA = ["serve.py", "camera", "--camera", "/dev/null"]
"""A camera that is there, wherever the tests run; it comes to nothing before it is opened."""


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["serve.py", "render", "absent.wav", "out.mp4"], "absent.wav"),
        (["serve.py", "render", "models/bundled/hello.wav", "nowhere/out.mp4"], "no folder nowhere"),
        (["serve.py", "render", "models/bundled/hello.wav", "out.mp4", "--puppet", "absent"], "absent is not a puppet"),
        (["serve.py", "--host", "0.0.0.0"], "can be reached from other machines"),
        (["serve.py", "render", "--colour"], "No such option"),
        (["serve.py", "camera", "--camera", "/dev/video77"], "There is no virtual camera /dev/video77"),
        ([*CAMERA, "--microphone", "no such thing"], "Cannot listen to the microphone 'no such thing'"),
        ([*CAMERA, "--voice", "absent.wav"], "absent.wav does not exist"),
        ([*CAMERA, "--voice", "models/bundled/hello.wav", "--record", "no/x.mp4"], "no folder no"),
        ([*CAMERA, "--voice", "models/bundled/hello.wav", "--voice-out", "xyz"], "Cannot play to the output"),
        (["calibrate.py", "absent.mp4", "--out", "puppets/x"], "--consent"),
        (["calibrate.py", "absent.mp4", "--out", "puppets/x", "--consent", "It is me"], "absent.mp4"),
        (["calibrate.py", "models/bundled/hello.wav", "--out", "puppets/x", "--consent", "It is me"], "hello.wav"),
        (["calibrate.py", "README.md", "--out", "puppets/x", "--consent", "It is me"], "README.md"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_the_user_can_fix_is_one_sentence_and_exit_code_2(words: list[str], sentence: str):
    done = command(*words)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (ROOT / "puppets" / "x").exists()


def test_a_missing_extra_is_one_sentence_with_its_command():
    without = "import runpy, sys; sys.modules['torch'] = None; runpy.run_path('calibrate.py', run_name='__main__')"
    done = command("-c", without, "me.mp4", "--out", "puppets/x", "--consent", "It is me")
    assert done.returncode == 2
    assert done.stderr.strip() == "calibrate.py needs the extra 'calibrate': pip install 'marotte[calibrate]'."


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--fps", "0"),
        ("--fps", "fast"),
        ("--fps", "1/0"),
        ("--size", "30"),
        ("--size", "31x16"),
        ("--look-ahead", "50"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_was_expected(option: str, value: str):
    done = command("serve.py", "render", "a.wav", "b.mp4", option, value)
    assert done.returncode == 2
    assert value in done.stderr
    assert "expected" in done.stderr


@pytest.mark.parametrize("mode", [[], ["render"], ["camera"], ["window"], ["devices"], ["bench"]], ids=str)
def test_every_mode_explains_itself_with_an_example(mode: list[str]):
    done = command("serve.py", *mode, "--help")
    assert done.returncode == 0
    assert f"python serve.py {' '.join(mode)}".strip() in done.stdout
