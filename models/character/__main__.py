"""Film the character: python -m models.character --out character.mp4"""

import argparse
import multiprocessing
import os
import sys
import wave
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.character.body import build
from models.character.camera import Camera
from models.character.controls import Controls
from models.character.perform import FPS, HELLO, VOICE, Performance, performance
from models.character.speech import Speech, speak
from models.errors import InputError

Picture = NDArray[np.uint8]
_camera: Camera


def _film(controls: Controls) -> Picture:
    return _camera.film(controls)


def pictures(frames: list[Controls], size: int, jobs: int) -> Iterator[Picture]:
    """The frames in order, uint8 [size, size, 3], filmed by `jobs` processes that share one sculpture."""
    global _camera
    cv2.setNumThreads(1)  # its threads would not survive the fork
    _camera = Camera(build(), size)
    _camera.film(frames[0])  # compile before the processes part
    if jobs == 1:
        yield from map(_film, frames)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(_film, frames, chunksize=4)


def write_video(pictures: Iterable[Picture], size: int, show: Performance, path: Path) -> None:
    """Pictures of `size` x `size` px as H.264, sound as AAC; the file gets its name only when it is complete."""
    unfinished = path.with_name(path.name + ".part")
    with av.open(str(unfinished), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "14", "preset": "slow"})
        audio = container.add_stream("aac", rate=show.rate, layout="mono")
        audio.bit_rate = 96_000
        video.width, video.height, video.pix_fmt = size, size, "yuv420p"
        for n, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            container.mux(video.encode(frame))
            if sys.stderr.isatty():
                print(f"\rframe {n + 1} of {len(show.frames)}", end="", file=sys.stderr)
        container.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(show.samples[None].astype(np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = show.rate, 0, Fraction(1, show.rate)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    os.replace(unfinished, path)


def write_wav(speech: Speech, path: Path) -> None:
    """16-bit mono at the speech's own rate."""
    unfinished = path.with_name(path.name + ".part")
    with wave.open(str(unfinished), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(speech.rate)
        file.writeframes(np.rint(32767 * np.clip(speech.samples, -1, 1)).astype("<i2").tobytes())
    os.replace(unfinished, path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.character", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("character.mp4"), help="video to write (character.mp4)")
    parser.add_argument("--hello", type=Path, help="also write the example voice to this WAV file")
    parser.add_argument("--size", type=int, default=512, help="width and height in px (512)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one per core)")
    options = parser.parse_args()
    try:
        if options.hello:
            write_wav(speak(HELLO, VOICE), options.hello)
        show = performance()
        write_video(pictures(show.frames, options.size, options.jobs), options.size, show, options.out)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
