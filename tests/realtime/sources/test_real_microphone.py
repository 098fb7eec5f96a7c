"""A microphone that PulseAudio makes of a pipe, heard by PortAudio."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sound_server import sound_server

LISTEN = """
import asyncio, sys
import numpy as np
from realtime.sources.microphone import MicrophoneSource

async def main():
    microphone = MicrophoneSource("pulse")
    heard = []
    async for chunk in microphone.chunks():
        assert len(chunk.samples) == 160
        assert chunk.start == 160 * len(heard)
        heard.append(chunk.samples)
        if len(heard) == 1:
            print("listening", flush=True)
        if len(heard) == 120:
            microphone.close()
    np.save(sys.argv[1], np.concatenate(heard))

asyncio.run(main())
"""


def test_what_is_said_is_heard(tmp_path):
    pytest.importorskip("sounddevice", exc_type=OSError, reason="PortAudio is not installed")
    pipe = tmp_path / "pipe"
    microphone = f"module-pipe-source source_name=mic file={pipe} format=s16le rate=16000 channels=1"
    with sound_server(tmp_path, microphone) as keys:
        environment = os.environ | keys | {"PYTHONPATH": str(Path(__file__).parents[3])}
        command = [sys.executable, "-c", LISTEN, str(tmp_path / "heard.npy")]
        with (
            open(os.open(pipe, os.O_RDWR), "wb", buffering=0) as mouth,
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as ear,
        ):
            said = np.tile(np.sin(np.arange(160) * 2 * np.pi * 5 / 160) * 8000, 2).astype("<i2").tobytes()
            until = time.monotonic() + 20
            while ear.poll() is None and time.monotonic() < until:
                mouth.write(said)
                time.sleep(0.02)
            complaint = ear.stderr.read()
            if "Cannot listen" in complaint:
                pytest.skip("ALSA has no PulseAudio plug-in")
            assert ear.wait() == 0, complaint
    heard = np.load(tmp_path / "heard.npy")
    spectrum = np.abs(np.fft.rfft(heard[-8000:] * np.hanning(8000))) ** 2
    assert spectrum[248:253].sum() / spectrum.sum() > 0.5  # 500 Hz
    assert np.abs(heard).max() > 0.1
