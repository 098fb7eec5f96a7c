"""What v4l2loopback wants to be told besides the pictures, which are all that pyvirtualcam gives it.

Until version 0.12 the driver takes whoever only writes for no writer: with `exclusive_caps=1` a camera that he leaves
stays a camera that nobody sends to, until the driver is loaded anew. And to programs every rate is 30 pictures/s.

While a program holds a camera open, its size stays, whatever the next sender asks for; nothing tells him so.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from fractions import Fraction

from realtime.errors import DeviceError

# linux/videodev2.h
VIDEO_OUTPUT = 2
GET_FORMAT = 0xC0D05604
FORMAT = struct.Struct("=I 4x 2I 192x")
"""Type, width and height, px."""
SET_PARAMETERS = 0xC0CC5616
PARAMETERS = struct.Struct("=5I 184x")
"""Type, capability, mode, and the time of a picture as numerator and denominator, s."""
STREAM_ON = 0x40045612
TYPE = struct.Struct("=I")


class Sender:
    """Somebody who sends to a device, until `close`."""

    def __init__(self, device: str, size: tuple[int, int], fps: Fraction) -> None:
        """Tell the driver. Later versions refuse what they need not be told, which is no harm.

        Args:
            device: to which nothing was sent yet.
            size: that it was set to, width and height, px.
            fps: pictures a second.

        Raises:
            DeviceError: it has another size, because a program holds it open.
        """
        self._file = os.open(device, os.O_WRONLY)
        answer = self._tell(GET_FORMAT, FORMAT.pack(VIDEO_OUTPUT, *size))
        if (kept := FORMAT.unpack(answer)[1:]) != size:
            self.close()
            width, height = kept
            raise DeviceError(
                f"{device} is open in another program, at {width}x{height} instead of {size[0]}x{size[1]}: "
                f"close it there, or choose --size {width}x{height}."
            )
        self._tell(SET_PARAMETERS, PARAMETERS.pack(VIDEO_OUTPUT, 0, 0, fps.denominator, fps.numerator))
        self._tell(STREAM_ON, TYPE.pack(VIDEO_OUTPUT))

    def _tell(self, request: int, argument: bytes) -> bytes:
        """The driver's answer, or the argument itself if it refuses."""
        import fcntl  # only where there is such a driver

        with suppress(OSError):
            return fcntl.ioctl(self._file, request, argument)
        return argument

    def close(self) -> None:
        """Leave the device to others."""
        os.close(self._file)
