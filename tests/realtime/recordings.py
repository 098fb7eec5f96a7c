"""Sound and video files of every kind, written for tests."""

from fractions import Fraction

import av
import numpy as np

PCM = {"u8": "pcm_u8", "s16": "pcm_s16le", "s32": "pcm_s24le", "flt": "pcm_f32le"}


def tone(seconds, rate, frequency=440.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write_sound(path, channels, rate, layout="mono", fmt="s16", codec=None):
    """Write channels, float32 [C, n], to a file of the kind that its name says."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec or PCM[fmt], rate=rate, layout=layout)
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=stream.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels.T).reshape(1, -1), "flt", layout)
        frame.sample_rate = rate
        written = 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            piece.pts, piece.time_base = written, Fraction(1, rate)
            written += piece.samples
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def write_silent_video(path, frames=10):
    """A video without an audio stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path
