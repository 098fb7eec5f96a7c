"""Reading a clip: pictures at a constant rate, upright, and its sound on the same clock.

Time zero is the first picture. Whatever the file does (rotation by metadata, variable rate, sound that starts earlier
or later, encoder priming, gaps) is undone here, so that frame n is the picture at n / fps and sample k the sound at
k / 16000 for everybody else. Memory stays bounded: pictures are an iterator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from models.errors import VideoError

SAMPLE_RATE = 16_000
RATES = tuple(Fraction(r, 1001) for r in (24000, 30000, 60000)) + tuple(Fraction(r) for r in (24, 25, 30, 50, 60))
SOUND_GAP_S = 0.05  # smaller differences of a time stamp from the samples counted are rounding, larger ones are gaps

Picture = TypeVar("Picture")


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds, as `read_frames` delivers it."""

    width: int  # px, upright and with square pixels
    height: int
    fps: Fraction  # constant; one of RATES
    frames: int  # at that rate
    start: float  # time stamp of the first picture in the file, s
    has_sound: bool

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.frames / self.fps)


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """The PyAV container; every failure inside becomes one VideoError."""
    if not Path(path).is_file():
        raise VideoError(f"{path}: there is no such file.")
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path}: cannot be read as a video or sound file ({error}).") from error


def probe(path: str | Path) -> VideoInfo:
    """Rate, size and length of a video. Raises VideoError for a missing or unreadable file or one without pictures."""
    with _opened(path) as container:
        if not container.streams.video:
            raise VideoError(f"{path}: it holds no pictures.")
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size and not p.is_discard]
        stamps = sorted(float(p.pts * p.time_base) for p in packets if p.pts is not None)
        assumed = float(stream.average_rate or stream.guessed_rate or 25)
    if len(stamps) < 0.9 * len(packets):  # raw streams and old containers: no stamps to go by
        stamps = [(stamps[0] if stamps else 0.0) + i / assumed for i in range(len(packets))]
    first = next(_decoded(path, 0.0), None)
    if first is None:
        raise VideoError(f"{path}: none of its pictures can be decoded.")
    start, picture = first
    fps = constant_fps(np.array(stamps))
    height, width = upright(picture).shape[:2]
    count = max(1, round((stamps[-1] - start) * fps) + 1)
    return VideoInfo(width, height, fps, count, start, _has_sound(path))


def constant_fps(stamps: np.ndarray) -> Fraction:
    """The one of RATES that is nearest to the usual interval between the time stamps (s, sorted)."""
    intervals = np.diff(stamps)
    intervals = intervals[intervals > 1e-4]
    if not len(intervals):
        return Fraction(25)
    # Stamps in whole milliseconds need the mean; pauses and dropped frames must not count: mean near the median.
    usual = intervals[np.abs(intervals / np.median(intervals) - 1) < 0.5].mean()
    return min(RATES, key=lambda rate: abs(math.log(float(rate) * usual)))


def read_frames(
    path: str | Path, start: int = 0, stop: int | None = None, info: VideoInfo | None = None
) -> Iterator[tuple[float, UInt8[np.ndarray, "H W 3"]]]:
    """Pictures start..stop-1 at the constant rate of `probe(path)`: (seconds since time zero, RGB).

    At each tick the source picture nearest in time is taken, so none is blended. Reading from the middle seeks.
    """
    info = info or probe(path)
    stop = info.frames if stop is None else min(stop, info.frames)
    source = _decoded(path, info.start + float(start / info.fps))
    relative = ((time - info.start, picture) for time, picture in source)
    for n, picture in enumerate(constant_rate(relative, info.fps, start, stop), start):
        yield float(n / info.fps), upright(picture)


def constant_rate(frames: Iterable[tuple[float, Picture]], fps: Fraction, start: int, stop: int) -> Iterator[Picture]:
    """For each tick start..stop-1 the picture nearest to n / fps; `frames` are (seconds, picture), in order."""
    n = start
    previous: tuple[float, Picture] | None = None
    for time, picture in frames:
        while previous is not None and n < stop and 2 * float(n / fps) <= previous[0] + time:
            yield previous[1]
            n += 1
        if n >= stop:
            return
        previous = time, picture
    if previous is not None:
        for _ in range(n, stop):
            yield previous[1]


def _decoded(path: str | Path, wanted: float) -> Iterator[tuple[float, Any]]:
    """(time stamp in s, PyAV frame) in order, beginning at or before the time stamp `wanted`."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        frames = _stamped(container, stream)
        if wanted > (stream.start_time or 0) * stream.time_base + 1:
            container.seek(int(wanted / stream.time_base), stream=stream, backward=True)
            first = next(frames, None)
            if first is not None and first[0] <= wanted:
                yield first
            else:  # some containers seek past the target: begin again at the beginning
                container.seek(int(stream.start_time or 0), stream=stream, backward=True)
                frames = _stamped(container, stream)
        yield from frames


def _stamped(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    interval = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    time = -interval
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.InvalidDataError:  # one damaged packet: the neighbours fill its place
            continue
        for frame in decoded:
            time = frame.time if frame.time is not None else time + interval
            yield time, frame


def upright(frame: Any) -> UInt8[np.ndarray, "H W 3"]:
    """RGB of a PyAV frame, turned, mirrored and stretched as its metadata asks (display matrix, pixel aspect)."""
    pixels = frame.to_ndarray(format="rgb24")
    aspect = frame.sample_aspect_ratio if hasattr(frame, "sample_aspect_ratio") else None
    if aspect and abs(aspect - 1) > 0.01:
        pixels = cv2.resize(pixels, (round(pixels.shape[1] * float(aspect)), pixels.shape[0]))
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        # Shown x = a x + c y and y = b x + d y, in 16.16 fixed point, row-major 3 × 3.
        a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5]
        if abs(b) > abs(a):
            pixels, a, d = pixels.swapaxes(0, 1), c, b
        pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)


def _has_sound(path: str | Path) -> bool:
    with _opened(path) as container:
        return bool(container.streams.audio)


def read_sound(path: str | Path) -> Float32[np.ndarray, " n"] | None:
    """The sound at 16 kHz, mono, [-1, 1], sample 0 at the first picture; None if there is none.

    Sound before the first picture is cut, missing sound is silence. A file without pictures starts with its sound.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            return None
        has_pictures = bool(container.streams.video)
        stretches = list(_stretches(container, container.streams.audio[0]))
    if not stretches:
        return None
    zero = probe(path).start if has_pictures else stretches[0][0]
    offsets = [round((time - zero) * SAMPLE_RATE) for time, _ in stretches]
    ends = [offset + len(samples) for offset, (_, samples) in zip(offsets, stretches, strict=True)]
    sound = np.zeros(max(0, *ends), np.float32)
    for offset, (_, samples) in zip(offsets, stretches, strict=True):
        kept = samples[max(0, -offset) :]
        sound[max(0, offset) : max(0, offset) + len(kept)] = kept
    return np.clip(sound, -1.0, 1.0)


def _stretches(container: Any, stream: Any) -> Iterator[tuple[float, Float32[np.ndarray, " n"]]]:
    """Runs of sound without a gap, each (time stamp in s, samples at 16 kHz)."""
    begin = end = 0.0
    kind: tuple[Any, ...] | None = None
    frames: list[Any] = []
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in decoded:
            time = frame.time if frame.time is not None else end
            this = (frame.format.name, frame.layout.name, frame.sample_rate)
            if this != kind or abs(time - end) > SOUND_GAP_S:
                if frames:
                    yield begin, _resampled(frames)
                begin, kind, frames = time, this, []
            frames.append(frame)
            end = time + frame.samples / frame.sample_rate
    if frames:
        yield begin, _resampled(frames)


def _resampled(frames: list[Any]) -> Float32[np.ndarray, " n"]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    pieces = [piece for frame in [*frames, None] for piece in resampler.resample(frame)]
    return np.concatenate([p.to_ndarray()[0] for p in pieces]) if pieces else np.zeros(0, np.float32)
