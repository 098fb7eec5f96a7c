"""What v4l2loopback wants to be told besides the pictures, which are all that pyvirtualcam gives it.

Until version 0.12 the driver takes whoever only writes for no writer: with `exclusive_caps=1` a camera that he leaves
stays a camera that nobody sends to, until the driver is loaded anew. And to programs every rate is 30 pictures/s.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from fractions import Fraction

# linux/videodev2.h
VIDEO_OUTPUT = 2
SET_PARAMETERS = 0xC0CC5616
PARAMETERS = struct.Struct("=5I 184x")
"""Type, capability, mode, and the time of a picture as numerator and denominator, s."""
STREAM_ON = 0x40045612
TYPE = struct.Struct("=I")


class Sender:
    """Somebody who sends to a device, until `close`."""

    def __init__(self, device: str, fps: Fraction) -> None:
        """Tell the driver. Later versions refuse what they need not be told, which is no harm.

        Args:
            device: whose picture size is set, and to which nothing was sent yet.
            fps: pictures a second.
        """
        import fcntl  # only where there is such a driver

        self._file = os.open(device, os.O_WRONLY)
        for request, argument in (
            (SET_PARAMETERS, PARAMETERS.pack(VIDEO_OUTPUT, 0, 0, fps.denominator, fps.numerator)),
            (STREAM_ON, TYPE.pack(VIDEO_OUTPUT)),
        ):
            with suppress(OSError):
                fcntl.ioctl(self._file, request, argument)

    def close(self) -> None:
        """Leave the device to others."""
        os.close(self._file)
