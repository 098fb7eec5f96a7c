"""`serve.py` without a command: the page with the bundled puppet, started and stopped as a person would."""

import asyncio
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSCloseCode
from ctrl_c import heed_ctrl_c
from whep_player import Player

ROOT = Path(__file__).parents[2]


@pytest.fixture
def page():
    """`serve.py` without a command: its process, and the page's address."""
    process = subprocess.Popen(
        [sys.executable, "serve.py", "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    try:
        told = re.search(r"jester.* waits at (http://127\.0\.0\.1:\d+/)", process.stdout.readline())
        yield process, told[1]
    finally:
        process.kill()
        process.communicate()


def test_the_page_is_served_and_ctrl_c_ends_it(page):
    process, address = page
    with urllib.request.urlopen(address) as answer:
        assert "Marotte" in answer.read().decode()
    with urllib.request.urlopen(address + "puppets/0/preview") as preview:
        assert preview.headers["Content-Type"] == "image/jpeg"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "Stopped; nothing is left half done."


async def test_sigterm_lets_everybody_go_within_three_seconds(page):
    process, address = page
    async with ClientSession(address) as client, client.ws_connect("/pcm") as socket:
        await socket.send_bytes(bytes(64_000))
        player = Player(client)
        await player.join()
        process.terminate()
        errors = (await asyncio.to_thread(process.communicate, timeout=3))[1]
        assert (await socket.receive(1)).data == WSCloseCode.GOING_AWAY
        async with asyncio.timeout(3):
            while player.state != "closed":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await player.close()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host", "0.0.0.0"], "give --token and TLS"),
        (["--puppet", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_served(arguments, sentence):
    done = subprocess.run([sys.executable, "serve.py", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
