"""The sink that is a window on this machine's screen: the picture, and below it how the stream fares.

It uses tkinter, which comes with Python (on Debian and Ubuntu as the package python3-tk).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime.errors import DeviceError, SinkLost
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.status_line import StatusLine
from realtime.telemetry import Telemetry

if TYPE_CHECKING:
    import tkinter

TITLE = "Marotte"
BELOW = 24
"""px for the text under the picture."""
DARK, LIGHT = "#202020", "#e0e0e0"


class Window:
    """Shows pictures. All of tkinter happens in one thread, the main one on macOS, which insists."""

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        mirrored: bool = False,
        closed: Callable[[], None] | None = None,
        mute: Callable[[], None] | None = None,
    ) -> None:
        """A window that opens with the stream.

        Args:
            telemetry: of the stream; its delay and frame rate are shown.
            mirrored: left and right are swapped, as in a mirror.
            closed: called when somebody closes the window. Without it the sink is then lost.
            mute: called when somebody presses M in the window.

        Raises:
            DeviceError: tkinter is not installed.
        """
        try:
            import tkinter
        except ImportError as error:
            advice = "install it (Debian and Ubuntu: package python3-tk)"
            raise DeviceError(f"A window needs tkinter, which this Python lacks ({error}): {advice}.") from error
        self._tkinter = tkinter
        self._line = StatusLine(telemetry)
        self._step = -1 if mirrored else 1
        self._closed = closed
        self._mute = mute
        self._pressed = 0
        self._open = True
        self._root: tkinter.Tk | None = None
        self._thread: Executor | None = None if sys.platform == "darwin" else ThreadPoolExecutor(1, "window")

    async def open(self, spec: StreamSpec) -> None:
        try:
            await self._do(self._build, spec)
        except self._tkinter.TclError as error:
            self._end()
            raise DeviceError(f"A window cannot be opened ({error}): a screen is needed.") from error

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        if self._open:
            await self._do(self._paint, frame)
        while self._pressed:
            self._pressed -= 1
            if self._mute is not None:
                self._mute()
        if not self._open:
            if self._closed is None:
                raise SinkLost("The window was closed.")
            self._closed()

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._thread is not None:
            self._thread.submit(self._tear_down)
        else:
            self._tear_down()
        self._end()

    def _build(self, spec: StreamSpec) -> None:
        self._root = self._tkinter.Tk()
        self._root.title(TITLE)
        self._root.configure(background=DARK)
        self._root.resizable(width=False, height=False)
        self._root.protocol("WM_DELETE_WINDOW", self._leave)
        self._root.bind("<KeyPress-m>", self._press)
        self._photo = self._tkinter.PhotoImage(width=spec.width, height=spec.height)
        self._tkinter.Label(self._root, image=self._photo, borderwidth=0).pack()
        self._text = self._tkinter.Label(self._root, background=DARK, foreground=LIGHT, font="TkFixedFont 8")
        self._text.pack()
        self._root.geometry(f"{spec.width}x{spec.height + BELOW}")  # whatever the text is
        self._every = max(1, round(spec.fps))
        self._root.update()

    def _paint(self, frame: VideoFrame) -> None:
        assert self._root is not None
        height, width = frame.pixels.shape[:2]
        pixels = np.ascontiguousarray(frame.pixels[:, :: self._step])
        self._photo.configure(data=b"P6 %d %d 255\n" % (width, height) + pixels.tobytes(), format="ppm")
        if frame.number % self._every == 0:
            self._text.configure(text=self._line.next())
        self._root.update()

    def _leave(self) -> None:
        self._open = False

    def _press(self, event: object) -> None:
        self._pressed += 1

    def _tear_down(self) -> None:
        """Tk's objects must also be forgotten in their own thread."""
        if self._root is not None:
            self._root.destroy()
            del self._photo, self._text
            self._root = None

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    async def _do(self, action: Callable[[Any], None], argument: object) -> None:
        if self._thread is None:
            action(argument)
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, action, argument)
