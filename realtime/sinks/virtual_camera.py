"""The sink that other programs see as a camera: v4l2loopback on Linux, OBS's camera on Windows and macOS."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realtime.errors import DeviceError, SinkLost
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks import loopback

ADVICE = {
    "linux": "load one with: sudo modprobe v4l2loopback card_label=Marotte exclusive_caps=1 "
    "(Debian and Ubuntu: package v4l2loopback-dkms)",
    "darwin": "install OBS (obsproject.com), start its virtual camera once, and stop it again",
    "win32": "install OBS (obsproject.com), whose virtual camera comes with it",
}


def cameras() -> list[str]:
    """Virtual cameras there are, as far as the system tells; only Linux does."""
    found = Path("/sys/devices/virtual/video4linux").glob("video*")
    return [f"/dev/{path.name} ({(path / 'name').read_text().strip()})" for path in sorted(found)]


def check(device: str | None) -> None:
    """Look whether there is that virtual camera, or any, before a puppet is loaded for it; only Linux tells.

    Raises:
        DeviceError: there is none.
    """
    there = Path(device).exists() if device else bool(cameras())
    if sys.platform == "linux" and not there:
        choice = f"choose among {', '.join(cameras())}" if cameras() else ADVICE["linux"]
        raise DeviceError(f"There is no virtual camera{f' {device}' if device else ''}: {choice}.")


class VirtualCamera:
    """Shows pictures to whatever program chose this camera. Conversion and device have a thread of their own."""

    def __init__(self, device: str | None = None, announce: Callable[[str], None] = lambda name: None) -> None:
        """Check that virtual cameras are supported here; nothing is opened yet.

        Args:
            device: the camera's name, as `/dev/video0`; the first one if None.
            announce: called with the camera's name when other programs can choose it.

        Raises:
            DeviceError: pyvirtualcam is not installed.
        """
        try:
            import pyvirtualcam
        except ImportError as error:
            advice = "pip install 'marotte[camera]'"
            raise DeviceError(f"Virtual cameras need pyvirtualcam ({error}): {advice}.") from error
        self._pyvirtualcam = pyvirtualcam
        self._device = device
        self._announce = announce
        self._camera: Any = None
        self._sender: loopback.Sender | None = None
        self._thread = ThreadPoolExecutor(1, "virtual-camera")

    async def open(self, spec: StreamSpec) -> None:
        self._size = spec.width & ~1, spec.height & ~1
        self._planes = np.empty((self._size[1] * 3 // 2, self._size[0]), np.uint8)
        try:
            await self._do(self._open, spec.fps)
        except (RuntimeError, OSError) as error:
            self._thread.shutdown()
            raise DeviceError(self._refusal(str(error))) from error
        except DeviceError:
            self.abort()
            raise
        self._announce(self._camera.device)

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        try:
            await self._do(self._send, frame)
        except RuntimeError as error:
            raise SinkLost(f"The virtual camera is gone ({error}).") from error

    async def close(self) -> None:
        await self._do(self._close)
        self._thread.shutdown()

    def abort(self) -> None:
        self._thread.shutdown()  # waits for the frame that is being sent
        if self._camera is not None:
            self._close()

    def _refusal(self, reasons: str) -> str:
        asked = f"the virtual camera {self._device}" if self._device else "a virtual camera"
        advice = ADVICE.get(sys.platform, ADVICE["linux"])
        reason = " (" + "; ".join(line.rstrip(".") for line in reasons.splitlines()) + ")"
        if present := cameras():
            advice = f"there is {', '.join(present)}, and whatever sends to it must end first"
            if "No v4l2 loopback device found" in reason:  # pyvirtualcam means: none that is free
                reason = ""
        return f"Cannot open {asked}{reason}: {advice}."

    def _open(self, fps: Fraction) -> None:
        width, height = self._size
        i420 = self._pyvirtualcam.PixelFormat.I420
        self._camera = self._pyvirtualcam.Camera(width, height, float(fps), fmt=i420, device=self._device)
        if self._camera.backend == "v4l2loopback":
            self._sender = loopback.Sender(self._camera.device, self._size, fps)

    def _close(self) -> None:
        self._camera.close()
        if self._sender is not None:
            self._sender.close()

    def _send(self, frame: VideoFrame) -> None:
        width, height = self._size
        # BT.601, limited range: what programs take a camera's 4:2:0 for
        cv2.cvtColor(frame.pixels[:height, :width], cv2.COLOR_RGB2YUV_I420, dst=self._planes)
        self._camera.send(self._planes)

    async def _do(self, action: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, action, *arguments)
