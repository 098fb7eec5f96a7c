"""What README.md tells people to type: every line is known here, is accepted, and its first command is run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import calibrate
import serve

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]
TEST = ".venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -e ."
SCRIPTS = {"serve.py": serve.app, "calibrate.py": calibrate.app}


def words(line: str) -> list[str]:
    return shlex.split(line.rsplit("&& ", 1)[-1].removeprefix(".venv/bin/python "))


def test_the_test_command_is_what_ci_runs():
    assert TEST in LINES
    assert TEST.replace(".venv/bin/", "") in (ROOT / ".ci" / "run").read_text().replace(" --quiet", "")


def test_the_first_command_installs_and_speaks(tmp_path: Path):
    first = LINES[0]
    assert first.startswith(INSTALL)
    *script, video = words(first)
    done = subprocess.run([sys.executable, *script, tmp_path / video], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"Wrote {tmp_path / video}.")
    assert (tmp_path / video).stat().st_size > 100_000


@pytest.mark.parametrize("line", [line for line in LINES if ".py" in line])
def test_a_command_is_accepted(line: str):
    script, *arguments = words(line)
    typer.main.get_command(SCRIPTS[script]).make_context(script, arguments)


def test_no_other_commands_are_told():
    known = [TEST, ".venv/bin/pip install -e '.[calibrate]'"]
    assert [line for line in LINES if ".py" not in line and line not in known] == []
