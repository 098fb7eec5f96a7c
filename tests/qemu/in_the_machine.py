"""What is tried in the machine, where everything may be done to /dev/video0.

In the machine: python -m tests.qemu.in_the_machine result.json WIDTHxHEIGHT FPS
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realtime.bench import benchmark
from realtime.bench.rehearsal import PhasedTelemetry
from realtime.bench.through import Through
from realtime.clock import MonotonicClock
from tests.qemu import readers
from tests.qemu.readers import Seen
from tests.qemu.sender import TestCard

DEVICE = "/dev/video0"
HELLO = Path("models/bundled/hello.wav")
BENCH_S = 12
COLOUR_TOLERANCE = 4
"""Grey levels; RGB to 8-bit BT.601 and back loses up to 3."""
LOOK_S = 6
"""Seconds that a program looks at the camera."""
PUPPET_PICTURES, PUPPET_S = 5, 300
"""That are awaited from the real puppet, and how long: an emulated processor compiles and draws slowly."""


@dataclass
class Case:
    """One thing that was tried."""

    name: str
    passed: bool
    seen: str
    """For people."""
    figures: dict[str, Any] = field(default_factory=dict)


class Trial:
    """Everything that is tried, at one size and rate."""

    def __init__(self, size: str, fps: Fraction, scratch: Path, home: Path) -> None:
        self._size, self._fps = size, fps
        self._sent, self._voice, self._picture = scratch / "sent.json", scratch / "voice.wav", home / "puppet.png"
        self._sender = [sys.executable, "-m", "tests.qemu.sender", "--size", size, "--fps", str(fps), "--sent"]
        command = ["ffmpeg", "-v", "error", "-stream_loop", "60", "-i", str(HELLO), str(self._voice)]
        subprocess.run(command, check=True)

    def cases(self) -> Iterator[Case]:
        """Try one thing after the other."""
        yield self._refused("no driver", "sudo modprobe v4l2loopback")
        load("exclusive_caps=1", "card_label=Marotte")
        yield self._refused("no such camera", f"choose among {DEVICE} (Marotte)", "--camera", "/dev/video7")
        yield self._listed()
        yield self._too_early()
        with self._sending() as sent:
            first = readers.ffmpeg(DEVICE, LOOK_S)
            time.sleep(1)
            again = readers.ffmpeg(DEVICE, LOOK_S)
        yield self._judge("ffmpeg", first, sent)
        yield self._judge("ffmpeg, which left and came back", again, sent)
        with self._sending() as sent:
            first = readers.opencv(DEVICE, LOOK_S)
            time.sleep(1)
            again = readers.opencv(DEVICE, LOOK_S)
        yield self._judge("OpenCV, another sender", first, sent)
        yield self._judge("OpenCV, which left and came back", again, sent)
        yield self._two_readers()
        yield self._second_sender()
        yield self._held_open()
        yield self._bench()
        load("card_label=Marotte")
        yield self._reader_first()
        load("exclusive_caps=1", "card_label=Marotte")
        yield self._puppet()

    def _refused(self, name: str, expected: str, *options: str) -> Case:
        done = serve("camera", "--voice", str(self._voice), *options)
        sentence = done.stderr.strip()
        return Case(name, done.returncode == 2 and expected in sentence and "\n" not in sentence, f"«{sentence}»")

    def _listed(self) -> Case:
        listed = serve("devices").stdout.splitlines()[-1]
        return Case("serve.py devices", f"{DEVICE} (Marotte)" in listed, f"«{listed}»")

    def _too_early(self) -> Case:
        """With exclusive_caps=1 there is no camera until somebody sends."""
        found = {"OpenCV": readers.opencv(DEVICE, 1), "ffmpeg": readers.ffmpeg(DEVICE, 1)}
        seen = [f"{name} {'sees pictures' if pictures else 'finds no camera'}" for name, pictures in found.items()]
        return Case("reader before the sender", not any(found.values()), ", ".join(seen))

    def _judge(self, name: str, seen: Seen | None, sent: dict[int, float]) -> Case:
        """Whether a program got what was sent."""
        if seen is None:
            return Case(name, False, "no picture")
        losses = readers.losses(seen.numbers, list(sent))
        took = [at - sent[number] for number, at in zip(seen.numbers, seen.times, strict=True) if number in sent]
        if len(took) < 2:
            return Case(name, False, f"{losses['seen']} pictures, of which the numbers cannot be read", dict(losses))
        sending = [at for at in sent.values() if seen.times[0] - 1 <= at <= seen.times[-1]]
        rate = (len(sending) - 1) / (sending[-1] - sending[0])
        figures = {
            "size": f"{seen.width}x{seen.height}",
            "pixels": seen.pixels,
            "fps_declared": seen.fps,
            "fps_sent": round(rate, 2),
            "fps_seen": round(seen.rate, 2),
            **losses,
            "colour_error": round(seen.colour_error, 1),
            "sink_to_reader_ms": [round(1e3 * float(np.percentile(took, share)), 1) for share in (50, 95)],
        }
        passed = (
            figures["size"] == self._size
            and seen.pixels in ("YU12", "yuv420p")
            and seen.fps in (None, float(self._fps))
            and losses["seen"] > 1
            and not any(losses[what] for what in ("lost", "repeated", "backward", "unread"))
            and seen.colour_error <= COLOUR_TOLERANCE
        )
        declared = f"says {seen.fps:g} pictures/s, " if seen.fps else ""
        rates = f"{declared}{rate:.1f} were sent, {seen.rate:.1f} came"
        counts = ", ".join(f"{count} {what}" for what, count in losses.items())
        colours = f"colours within {seen.colour_error:.1f} grey levels"
        return Case(name, passed, f"{figures['size']} {seen.pixels}; {rates}; {counts}; {colours}", figures)

    def _two_readers(self) -> Case:
        with self._sending() as sent:
            command = ["ffmpeg", "-v", "error", "-f", "v4l2", "-i", DEVICE, "-t", str(LOOK_S), "-f", "null", "-"]
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as other:
                seen = readers.opencv(DEVICE, LOOK_S)
        case = self._judge("OpenCV while ffmpeg looks, too", seen, sent)
        case.passed &= other.returncode == 0
        return case

    def _second_sender(self) -> Case:
        with self._sending() as sent:
            second = subprocess.run([*self._sender, os.devnull], capture_output=True, text=True)
            seen = readers.opencv(DEVICE, LOOK_S)
        case = self._judge("a second sender", seen, sent)
        sentence = second.stderr.splitlines()[-1]
        refused = second.returncode != 0 and f"there is {DEVICE} (Marotte), and whatever sends to it" in sentence
        return Case(case.name, refused and case.passed, f"«{sentence}» The first: {case.seen}", case.figures)

    def _held_open(self) -> Case:
        """A call goes on while Marotte is started anew."""
        with self._sending():
            camera = cv2.VideoCapture(DEVICE, cv2.CAP_V4L2)
            before = camera.read()[0]
        smaller = [word.replace(self._size, "160x96") for word in self._sender]
        refused = subprocess.run([*smaller, os.devnull], capture_output=True, text=True)
        sentence = refused.stderr.splitlines()[-1]
        with self._sending():
            after = [camera.read()[0] for _ in range(5)]
            camera.release()
        passed = before and all(after) and f"choose --size {self._size}" in sentence
        seen = f"{sum(after)} of 5 pictures of the new one; one of another size hears: «{sentence}»"
        return Case("another sender while OpenCV looks", passed, seen)

    def _bench(self) -> Case:
        """`serve.py bench --through camera`, with test cards in place of the puppet and of its floor."""
        width, height = map(int, self._size.split("x"))
        clock, cards = MonotonicClock(), [TestCard(width, height, self._fps) for _ in range(2)]
        voice = asyncio.run(benchmark.read_voice(HELLO, BENCH_S))
        telemetry = PhasedTelemetry(clock)
        figures, _ = asyncio.run(benchmark.measure(*cards, telemetry, voice, Through.CAMERA, clock))
        frames, delay = figures["frames"], figures["delay_ms"]
        passed = frames["seen"] >= 0.9 * BENCH_S * self._fps and not frames["unread"]
        seen = f"{frames['seen']} of {BENCH_S * self._fps} pictures, {frames['unread']} unread, delay {delay['p50']} ms"
        return Case("serve.py bench --through camera", passed, seen, {"frames": frames, "delay_ms": delay})

    def _puppet(self) -> Case:
        """`serve.py camera` itself, with the bundled puppet and its networks."""
        command = [sys.executable, "serve.py", "camera", "--voice", str(self._voice), "--size", self._size]
        command += ["--fps", str(self._fps), "--engine", "onnxruntime"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as marotte:
            announced = re.search(f"Choose the camera {DEVICE}.*", marotte.stdout.readline())
            camera = cv2.VideoCapture(DEVICE, cv2.CAP_V4L2)
            pictures, deadline = [], time.monotonic() + PUPPET_S
            while len(pictures) < PUPPET_PICTURES and time.monotonic() < deadline:
                found, picture = camera.read()  # within 10 s
                if found:
                    pictures.append(picture)
            camera.release()
            marotte.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            marotte.communicate()
            ending = time.monotonic() - asked
        if pictures:
            cv2.imwrite(str(self._picture), pictures[-1])
        changes = [float(np.abs(b.astype(int) - a).mean()) for a, b in pairwise(pictures)]
        passed = bool(announced) and len(pictures) == PUPPET_PICTURES and any(changes) and marotte.returncode == 0
        seen = (
            f"{len(pictures)} pictures, which change by {np.mean(changes or 0):.2f} grey levels; {ending:.1f} s to end"
        )
        return Case("serve.py camera, bundled puppet", passed, seen, {"changes": changes, "ending_s": ending})

    def _reader_first(self) -> Case:
        """Without exclusive_caps there is a camera at once."""
        camera = cv2.VideoCapture(DEVICE, cv2.CAP_V4L2)
        opened = camera.isOpened()
        with self._sending() as sent:
            held = sum(camera.read()[0] for _ in range(5)) if opened else 0
            camera.release()
            seen = readers.opencv(DEVICE, LOOK_S)
        case = self._judge("reader before the sender, no exclusive_caps", seen, sent)
        before = f"{held} of 5 pictures" if opened else "finds no camera"
        return Case(case.name, case.passed, f"{before}; opened anew: {case.seen}", case.figures)

    @contextmanager
    def _sending(self) -> Iterator[dict[int, float]]:
        """A test card is sent; afterwards there are the numbers that were, with their times (s)."""
        sent: dict[int, float] = {}
        with subprocess.Popen(
            [*self._sender, str(self._sent)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as sender:
            sender.stdout.readline()
            try:
                yield sent
            finally:
                sender.send_signal(signal.SIGTERM)
                sender.communicate()
        if sender.returncode == 0:
            sent.update(json.loads(self._sent.read_text()))


def load(*options: str) -> None:
    """Load the driver anew."""
    subprocess.run(["modprobe", "-r", "v4l2loopback"], check=True)
    subprocess.run(["modprobe", "v4l2loopback", *options], check=True)


def serve(*words: str) -> subprocess.CompletedProcess[str]:
    """Run serve.py to its end."""
    return subprocess.run([sys.executable, "serve.py", *words], capture_output=True, text=True)


def versions() -> dict[str, str]:
    """Of what takes part."""
    ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout.split()[2]
    query = ["dpkg-query", "-W", "-f", "${Version}", "v4l2loopback-dkms"]
    driver = subprocess.run(query, capture_output=True, text=True).stdout
    return {"linux": os.uname().release, "v4l2loopback": driver, "opencv": cv2.__version__, "ffmpeg": ffmpeg}


def main() -> None:
    result, size, fps = sys.argv[1:]
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in Trial(size, Fraction(fps), Path(scratch), Path(result).parent).cases():
            print(f"{'ok  ' if case.passed else 'FAIL'} {case.name}: {case.seen}", flush=True)
            cases.append(asdict(case))
    Path(result).write_text(json.dumps({**versions(), "cases": cases}))


if __name__ == "__main__":
    main()
