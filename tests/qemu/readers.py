"""Programs that look at a camera, as a call or a recorder does: OpenCV and ffmpeg."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np

from realtime.bench import frame_number
from tests.qemu.sender import colour_error


@dataclass
class Seen:
    """What a program got from the camera."""

    width: int
    height: int
    pixels: str
    """The format that the camera gives."""
    fps: float | None
    """What the camera says of itself; None if the program sets it."""
    numbers: list[int | None] = field(default_factory=list)
    """Of every picture, in order; None where it could not be read."""
    times: list[float] = field(default_factory=list)
    """When each came (s)."""
    colour_error: float = 0.0
    """Grey levels, at worst."""

    def look(self, picture: np.ndarray) -> None:
        """Note a picture, RGB uint8 [H, W, 3], that is seen now."""
        self.times.append(time.monotonic())
        self.numbers.append(frame_number.read(picture[:, :, 1]))
        self.colour_error = max(self.colour_error, colour_error(picture))

    @property
    def rate(self) -> float:
        """Pictures a second, as they came."""
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])


def opencv(device: str, seconds: float) -> Seen | None:
    """Look for some seconds; None if there are no two pictures. OpenCV sets the rate to 30 pictures/s by itself."""
    camera = cv2.VideoCapture(device, cv2.CAP_V4L2)
    if not camera.isOpened():
        return None
    size = [int(camera.get(what)) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    seen = Seen(*size, int(camera.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode(), None)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, picture = camera.read()
        if not found:
            break
        seen.look(picture[:, :, ::-1])
    camera.release()
    return seen if len(seen.times) > 1 else None


def ffmpeg(device: str, seconds: float) -> Seen | None:
    """Look for some seconds at every picture that the camera gives; None if there are no two."""
    probe = ["ffprobe", "-v", "error", "-f", "v4l2", "-show_streams", "-of", "json", device]
    streams = json.loads(subprocess.run(probe, capture_output=True, text=True).stdout or "{}").get("streams")
    if not streams:
        return None
    (about,) = streams
    width, height = about["width"], about["height"]
    seen = Seen(width, height, about["pix_fmt"], float(Fraction(about["r_frame_rate"])))
    command = ["ffmpeg", "-v", "error", "-f", "v4l2", "-i", device, "-t", str(seconds)]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        size = width * height * 3 // 2
        while len(picture := process.stdout.read(size)) == size:
            planes = np.frombuffer(picture, np.uint8).reshape(height * 3 // 2, width)
            seen.look(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420))
    return seen if len(seen.times) > 1 else None


def losses(seen: Sequence[int | None], sent: Sequence[int]) -> dict[str, int]:
    """How many pictures were seen, and what happened to those between the first and the last.

    `lost` were sent and not seen, `repeated` seen twice, `backward` seen after a later one, `unread` have no readable
    number or one that was never sent.
    """
    numbers = [number for number in seen if number in set(sent)]
    steps = np.diff(numbers)
    between = {number for number in sent if numbers and numbers[0] <= number <= numbers[-1]}
    return {
        "seen": len(seen),
        "lost": len(between - set(numbers)),
        "repeated": int((steps == 0).sum()),
        "backward": int((steps < 0).sum()),
        "unread": len(seen) - len(numbers),
    }
