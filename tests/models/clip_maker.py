"""Video files made for the tests: any size, time stamps, sound and rotation."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CLOCK = Fraction(1, 90_000)  # the unit of time stamps


def write_clip(path, pictures, stamps, sound=None, sound_rate=48_000, sound_start=0.0, codec="libx264"):
    """`pictures` [H, W, 3] RGB at `stamps` (s); `sound` float mono, its first sample at `sound_start` s."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=Fraction(25))
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv444p" if video.height % 2 or video.width % 2 else "yuv420p"
        video.time_base = video.codec_context.time_base = CLOCK
        video.options = {"g": "12"}
        audio = container.add_stream("aac", rate=sound_rate, layout="mono") if sound is not None else None
        for picture, stamp in zip(pictures, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = round(stamp / CLOCK), CLOCK
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(np.asarray(sound, np.float32)[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = sound_rate, Fraction(1, sound_rate)
            frame.pts = round(sound_start * sound_rate)
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def set_display_matrix(path: Path, a, b, c, d):
    """Write a rotation or mirroring into the track header of an MP4, as a phone does."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    matrix = header + 4 + 4 + 20 + 16  # name, version and flags, times and number (version 0), layer and volume
    values = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30])  # 16.16, the last 2.30
    data[matrix : matrix + 36] = values.astype(">i4").tobytes()
    path.write_bytes(data)


def counted(n, height=64, width=96):
    """A picture whose grey value tells its number (0..24), with a white mark in the top left quarter's corner."""
    picture = np.full((height, width, 3), 20 + 9 * n, np.uint8)
    picture[: height // 4, : width // 4] = 255
    return picture


def number_of(picture):
    """Which `counted` picture this is."""
    return round((float(picture[-12:, -12:].mean()) - 20) / 9)
