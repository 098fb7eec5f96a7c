"""Reading a clip: pictures at a constant rate, upright, and its sound on the same clock.

Time zero is the first picture. Whatever the file does (rotation by metadata, variable rate, sound that starts earlier
or later, encoder priming, gaps) is undone here, so that frame n is the picture at n / fps and sample k the sound at
k / 16000 for everybody else. Pictures are an iterator: memory stays bounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, cast

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.stream import VideoStream
from jaxtyping import Float32, Float64, UInt8

from models.errors import VideoError

SAMPLE_RATE = 16_000
RATES = tuple(Fraction(r, 1001) for r in (24000, 30000, 60000)) + tuple(Fraction(r) for r in (24, 25, 30, 50, 60))
MIN_SECONDS = 5.0  # less speech is not worth learning from
MIN_VOICE_SECONDS = 2.0
AUDIBLE = 10 ** (-50 / 20)  # level of a block, of full scale
BLOCK = 160  # samples: 10 ms
SOUND_GAP_S = 0.05  # smaller differences of a time stamp from the samples counted are rounding, larger ones are gaps

Picture = TypeVar("Picture")
Source = tuple[float, av.VideoFrame]  # time stamp in the file, s


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds, as `read_frames` delivers it."""

    width: int  # px, upright and with square pixels
    height: int
    fps: Fraction  # constant; one of RATES
    frames: int  # at that rate
    start: float  # time stamp of the first picture in the file, s
    pixel_aspect: Fraction  # width of the file's pixels by their height
    has_sound: bool

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.frames / self.fps)


def probe(path: str | Path) -> VideoInfo:
    """Rate, size and length of a video. Raises VideoError for a missing or unreadable file or one without pictures."""
    with _opened(path) as container:
        stream = _video(container)
        if stream is None:
            raise VideoError(f"{path}: a video was expected, but it holds no pictures.")
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        stamps = [float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None]
        interval, has_sound = _nominal_interval(stream), bool(container.streams.audio)
        aspect = stream.sample_aspect_ratio or Fraction(1)
    if len(stamps) < 0.9 * len(packets):  # old containers: no stamps to go by
        stamps = [min(stamps, default=0.0) + i * interval for i in range(len(packets))]
    first = next(_read(path, 0.0), None)
    if first is None:
        raise VideoError(f"{path}: none of its pictures can be decoded.")
    start, picture = first
    height, width = _upright(picture, aspect).shape[:2]
    fps = constant_fps(np.array(sorted(stamps)))
    frames = max(1, round((max(stamps) - start) * fps) + 1)
    return VideoInfo(width, height, fps, frames, start, aspect, has_sound)


def check_clip(info: VideoInfo) -> None:
    """Raise VideoError when a clip is too short for a puppet or has no sound; costs nothing after `probe`."""
    if info.duration < MIN_SECONDS:
        raise VideoError(
            f"The clip lasts {info.duration:.1f} s; a puppet needs at least {MIN_SECONDS:.0f} s of speech."
        )
    if not info.has_sound:
        raise VideoError("The clip has no sound; a puppet learns from a video in which the person is heard speaking.")


def check_voice(sound: Float32[np.ndarray, " n"] | None) -> None:
    """Raise VideoError when a clip's sound, as `read_sound` gives it, is all but silent."""
    heard = 0.0 if sound is None else loud_seconds(sound)
    if heard < MIN_VOICE_SECONDS:
        raise VideoError(
            f"Only {heard:.1f} s of the clip's sound are loud enough for a voice, not {MIN_VOICE_SECONDS:.0f} s: "
            "record the person speaking, or raise the volume."
        )


def loud_seconds(sound: Float32[np.ndarray, " n"]) -> float:
    """For how long 16 kHz sound is loud enough for a voice."""
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    return float((np.sqrt(np.mean(blocks**2, axis=1)) > AUDIBLE).sum()) * BLOCK / SAMPLE_RATE


def constant_fps(stamps: Float64[np.ndarray, " n"]) -> Fraction:
    """The one of RATES that is nearest to the usual interval between the time stamps (s, sorted)."""
    intervals = np.diff(stamps)
    intervals = intervals[intervals > 1e-4]
    if not len(intervals):
        return Fraction(25)
    # Stamps in whole milliseconds need the mean; pauses and dropped frames must not count: mean near the median.
    usual = float(intervals[np.abs(intervals / np.median(intervals) - 1) < 0.5].mean())
    return min(RATES, key=lambda rate: abs(math.log(float(rate) * usual)))


def read_frames(
    path: str | Path, start: int = 0, stop: int | None = None, info: VideoInfo | None = None
) -> Iterator[tuple[float, UInt8[np.ndarray, "H W 3"]]]:
    """Pictures start..stop-1 at the constant rate of `probe(path)`: (seconds since time zero, RGB).

    At each tick the source picture nearest in time is taken, so none is blended. Reading from the middle seeks.
    """
    info = info or probe(path)
    stop = info.frames if stop is None else min(stop, info.frames)
    source = _read(path, info.start + float(start / info.fps))
    relative = ((time - info.start, picture) for time, picture in source)
    for n, picture in enumerate(constant_rate(relative, info.fps, start, stop), start):
        yield float(n / info.fps), _upright(picture, info.pixel_aspect)


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


def read_sound(path: str | Path) -> Float32[np.ndarray, " n"] | None:
    """The sound at 16 kHz, mono, [-1, 1], sample 0 at the first picture; None if there is none.

    Sound before the first picture is cut, missing sound is silence. A file without pictures starts with its sound.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            return None
        has_pictures = _video(container) is not None
        stretches = [(time, _resampled(frames)) for time, frames in _stretches(container, container.streams.audio[0])]
    if not stretches:
        return None
    zero = probe(path).start if has_pictures else stretches[0][0]
    places = [(round((time - zero) * SAMPLE_RATE), samples) for time, samples in stretches]
    sound = np.zeros(max(0, *(offset + len(samples) for offset, samples in places)), np.float32)
    for offset, samples in places:
        kept = samples[max(0, -offset) :]
        sound[max(0, offset) : max(0, offset) + len(kept)] = kept
    return np.clip(sound, -1.0, 1.0)


@contextmanager
def _opened(path: str | Path) -> Iterator[InputContainer]:
    """The PyAV container; what FFmpeg or the system says against it becomes one VideoError."""
    if not Path(path).is_file():
        raise VideoError(f"{path}: there is no such file.")
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be read as a video or sound file ({error.strerror}).") from error


def _video(container: InputContainer) -> VideoStream | None:
    """The first moving picture (a cover of a music file is none)."""
    covers = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & covers), None)


def _nominal_interval(stream: VideoStream) -> float:
    """Seconds per picture as the container declares it."""
    return 1 / float(stream.average_rate or stream.guessed_rate or 25)


def _read(path: str | Path, wanted: float) -> Iterator[Source]:
    """(time stamp, picture) in order, beginning at or before the time stamp `wanted` (s)."""
    with _opened(path) as container:
        stream = _video(container)
        if stream is None or stream.time_base is None:
            return
        stream.thread_type = "AUTO"
        frames = _decoded(container, stream)
        origin = stream.start_time or 0
        if wanted > float(origin * stream.time_base) + 1:
            container.seek(int(wanted / stream.time_base), stream=stream, backward=True)
            first = next(frames, None)
            if first is not None and first[0] <= wanted:
                yield first
            else:  # some containers seek past the target: begin again at the beginning
                container.seek(origin, stream=stream, backward=True)
                frames = _decoded(container, stream)
        yield from frames


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[Source]:
    interval = _nominal_interval(stream)
    time = -interval
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:  # one damaged packet: the neighbours fill its place
            continue
        for frame in frames:
            time = frame.time if frame.time is not None else time + interval
            yield time, frame


def _upright(frame: av.VideoFrame, aspect: Fraction) -> UInt8[np.ndarray, "H W 3"]:
    """RGB, stretched, turned and mirrored as the file asks (pixel aspect, display matrix)."""
    pixels = cast(UInt8[np.ndarray, "H W 3"], frame.to_ndarray(format="rgb24"))
    if abs(aspect - 1) > 0.01:
        pixels = cast(
            UInt8[np.ndarray, "H W 3"], cv2.resize(pixels, (round(pixels.shape[1] * aspect), pixels.shape[0]))
        )
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if isinstance(matrix, SideData):
        # Shown x = a x + c y and y = b x + d y, in 16.16 fixed point, row-major 3 × 3.
        a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5]
        if abs(b) > abs(a):
            pixels, a, d = pixels.swapaxes(0, 1), c, b
        pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)


def _stretches(container: InputContainer, stream: AudioStream) -> Iterator[tuple[float, list[av.AudioFrame]]]:
    """Runs of sound without a gap or a change of format: (time stamp in s, frames)."""
    begin = end = 0.0
    kind: tuple[str, str, int] | None = None
    run: list[av.AudioFrame] = []
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            time = frame.time if frame.time is not None else end
            this = (frame.format.name, frame.layout.name, frame.sample_rate)
            if this != kind or abs(time - end) > SOUND_GAP_S:
                if run:
                    yield begin, run
                begin, kind, run, end = time, this, [], time
            run.append(frame)
            end += frame.samples / frame.sample_rate
    if run:
        yield begin, run


def _resampled(frames: list[av.AudioFrame]) -> Float32[np.ndarray, " n"]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    for frame in frames:
        frame.pts = None  # counted here: the resampler must not fill or cut by stamps
    pieces = [piece.to_ndarray()[0] for frame in [*frames, None] for piece in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float32) if pieces else np.zeros(0, np.float32)
