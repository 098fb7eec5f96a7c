"""An MP4 file as it is written: encoders, colours and time stamps. Plain calls, for one thread."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from realtime.clock import samples_before
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE, AudioChunk, StreamSpec, VideoFrame

HIGHEST_RATE = 48_000
"""Samples per second of kept sound at most."""
QUALITY = {"preset": "veryfast", "crf": "18"}
"""x264: at 512 px, 3 ms of one core a frame; nothing is seen of the loss."""
BITS_PER_CHANNEL = 96_000
"""AAC bits per second."""
COMPLETE = {"movflags": "+faststart"}
GROWING = {"movflags": "+hybrid_fragmented+frag_keyframe", "flush_packets": "1"}
HD_HEIGHT = 720
"""px from which players that ignore colour tags assume BT.709 instead of BT.601; the tags say the same."""


class Mp4Writer:
    """Encodes a stream into a file. Frame 0 and the first sample have time 0."""

    def __init__(self, path: Path, spec: StreamSpec, original: Path | None, growing: bool = False) -> None:
        """Make the file.

        Args:
            path: where; any name.
            spec: the pictures. H.264's 4:2:0 colours need even sizes: an odd last row or column is left out.
            original: a file whose sound is kept instead of the stream's.
            growing: the file can be played while it grows, whatever happens then: it comes in fragments of a second,
                which `finish` turns into an ordinary file.

        Raises:
            InputError: `original` cannot be read.
            OSError: the file cannot be made.
        """
        self._spec = spec
        self._frames = 0
        self._size = (spec.width & ~1, spec.height & ~1)
        self._reformatter = VideoReformatter()
        self._container = av.open(str(path), "w", format="mp4", options=GROWING if growing else COMPLETE)
        try:
            self._video = self._add_video()
            if growing:
                self._video.gop_size = math.ceil(spec.fps)
            self._sound = _OriginalSound(self._container, original) if original else _StreamSound(self._container)
            self._container.start_encoding()
        except BaseException:
            self.discard()
            raise

    def write(self, frame: VideoFrame, sound: AudioChunk) -> None:
        """Add a picture and the sound up to its end."""
        self._frames = frame.number + 1
        width, height = self._size
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels[:height, :width]), format="rgb24")
        picture = self._reformatter.reformat(
            picture,
            format="yuv420p",
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation="BICUBIC",
        )
        picture.pts = frame.number
        picture.time_base = 1 / self._spec.fps
        self._container.mux(self._video.encode(picture))
        self._sound.write(sound, samples_before(self._frames, self._spec.fps))

    def finish(self) -> None:
        """Complete the file."""
        self._container.mux(self._video.encode(None))
        self._sound.finish()
        self._container.close()

    def discard(self) -> None:
        """Let go of the file, whatever its state."""
        with suppress(av.FFmpegError, OSError):  # a disk that is full refuses this too
            self._container.close()

    def _add_video(self) -> VideoStream:
        video = self._container.add_stream("libx264", rate=self._spec.fps, options=QUALITY)
        hd = self._spec.height >= HD_HEIGHT
        self._matrix = Colorspace.ITU709 if hd else Colorspace.SMPTE170M
        video.width, video.height = self._size
        video.pix_fmt = "yuv420p"
        video.time_base = 1 / self._spec.fps
        context = video.codec_context
        context.colorspace = self._matrix
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709  # those of sRGB
        context.color_trc = ColorTrc.IEC61966_2_1
        return video


class _Sound:
    """An AAC track whose time stamps count its samples from 0."""

    def __init__(self, container: OutputContainer, rate: int, layout: str) -> None:
        self._container = container
        self._rate = rate
        self._written = 0
        self._stream = container.add_stream("aac", rate=rate, layout=layout)
        self._stream.bit_rate = BITS_PER_CHANNEL * self._stream.codec_context.layout.nb_channels
        self._resampler = av.AudioResampler(
            "fltp", layout, rate, frame_size=1024, options={"rematrix_maxval": "1.0"}
        )  # AAC takes 1024 samples at a time

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            piece.pts = self._written
            piece.time_base = Fraction(1, self._rate)
            self._written += piece.samples
            self._container.mux(self._stream.encode(piece))

    def finish(self) -> None:
        self._encode(None)
        self._container.mux(self._stream.encode(None))


class _StreamSound(_Sound):
    """The voice as it went through the stream."""

    def __init__(self, container: OutputContainer) -> None:
        super().__init__(container, SAMPLE_RATE, "mono")
        self._heard = 0

    def write(self, sound: AudioChunk, until: int) -> None:
        """Add a chunk, after silence if there is a gap before it."""
        samples = np.concatenate([np.zeros(max(0, sound.start - self._heard), np.float32), sound.samples])
        self._heard = sound.end
        if len(samples) == 0:  # a first picture that is drawn before its sound came
            return
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        self._encode(frame)


class _OriginalSound(_Sound):
    """The sound of a file, as good as it is there and as long as the pictures."""

    def __init__(self, container: OutputContainer, path: Path) -> None:
        try:
            self._input = av.open(str(path))
            source = self._input.streams.audio[0].codec_context
        except (av.FFmpegError, OSError, IndexError) as error:
            raise InputError(f"{path} cannot be read as sound: {error}.") from error
        wanted = min(source.sample_rate, HIGHEST_RATE)
        rates = av.Codec("aac", "w").audio_rates or [HIGHEST_RATE]
        super().__init__(
            container,
            min(rate for rate in rates if rate >= wanted),
            "mono" if source.layout.nb_channels == 1 else "stereo",
        )
        self._frames: Iterator[av.AudioFrame] = self._input.decode(audio=0)
        self._read = Fraction(0)

    def write(self, sound: AudioChunk, until: int) -> None:
        """Add the file's sound up to the time of the stream's sample `until`."""
        while self._read < Fraction(until, SAMPLE_RATE) and (frame := next(self._frames, None)) is not None:
            self._read += Fraction(frame.samples, frame.sample_rate)
            self._encode(frame)

    def finish(self) -> None:
        super().finish()
        self._input.close()
