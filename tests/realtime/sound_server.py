"""A PulseAudio of its own for the tests that hear with real parts."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest


@contextmanager
def sound_server(folder, *modules):
    """Start PulseAudio with these modules; yields the environment in which programs find it, PortAudio too."""
    if shutil.which("pulseaudio") is None or shutil.which("pactl") is None:
        pytest.skip("PulseAudio is not installed")
    (folder / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    keys = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(runtime), "PULSE_RUNTIME_PATH": str(runtime)}
    environment = os.environ | keys
    script = folder / "modules.pa"
    script.write_text(
        "\n".join([*(f"load-module {module}" for module in modules), "load-module module-native-protocol-unix"])
    )
    command = ["pulseaudio", "-n", "-F", str(script), "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 10
            while not (runtime / "native").exists() and time.monotonic() < until:
                subprocess.run(["pactl", "info"], env=environment, capture_output=True)
            yield keys
        finally:
            server.terminate()
