"""`serve.py` without a command: the page with the bundled puppet, started and stopped as a person would."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from ctrl_c import heed_ctrl_c

ROOT = Path(__file__).parents[2]


def test_the_page_is_served_and_ctrl_c_ends_it():
    process = subprocess.Popen(
        [sys.executable, "serve.py", "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = re.search(r"jester waits at (http://127\.0\.0\.1:\d+/)", process.stdout.readline())
        assert told
        with urllib.request.urlopen(told[1]) as page:
            assert "Marotte" in page.read().decode()
        with urllib.request.urlopen(told[1] + "puppets/0/preview") as preview:
            assert preview.headers["Content-Type"] == "image/jpeg"
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "Stopped; nothing is left half done."
