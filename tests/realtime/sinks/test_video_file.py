import asyncio
import errno
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fakes import ListSource, LoudnessAnimator, read_number, voice
from recordings import tone, write_sound
from virtual_time import run_virtually

from realtime.errors import InputError, SinkLost
from realtime.loop import run
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.video_file import VideoFile
from realtime.sources.wav import WavSource


def render(samples, path, animator=None, sound=None):
    source = samples if hasattr(samples, "chunks") else ListSource(samples, 4000)
    asyncio.run(run(source, animator or LoudnessAnimator(), [VideoFile(path, sound)], live=False))
    return path


def pictures(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def heard(path):
    """Samples float32 [C, n] at the file's rate, and the time of the first."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), frames[0].time, frames[0].sample_rate


def left_behind(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30000, 1001)])
def test_frames_sound_and_times(tmp_path, fps):
    samples = voice(3.21)
    path = render(samples, tmp_path / "out.mp4", LoudnessAnimator(fps))
    frames = -(-len(samples) * fps.numerator // (16_000 * fps.denominator))
    shown = pictures(path)
    assert [read_number(picture) for _, picture in shown] == list(range(frames))
    assert [moment for moment, _ in shown] == pytest.approx([n / float(fps) for n in range(frames)], abs=1e-4)
    sound, first, rate = heard(path)
    assert (first, rate, len(sound)) == (0, 16_000, 1)
    assert sound.shape[1] == pytest.approx(len(samples), abs=1024)
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.average_rate == fps
        assert video.frames == frames
        assert video.start_time == audio.start_time == 0
        assert float(video.duration * video.time_base) == pytest.approx(frames / float(fps), abs=1e-3)
        assert float(audio.duration * audio.time_base) == pytest.approx(3.21, abs=float(1 / fps))
    assert left_behind(tmp_path) == ["out.mp4"]


def test_the_index_comes_first(tmp_path):
    content = render(voice(1), tmp_path / "out.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


@pytest.mark.parametrize("kept", [False, True], ids=["stream", "original"])
def test_sound_and_picture_start_together(tmp_path, kept):
    """A click in the sound and a flash in the picture, at the same time in, are at the same time out."""
    click = np.zeros((1, 48_000 * 2), np.float32)
    click[0, 48_000 : 48_000 + 480] = tone(0.01, 48_000, 1000, 0.9)
    source = write_sound(tmp_path / "click.wav", click, 48_000)
    path = render(WavSource(source), tmp_path / "out.mp4", sound=source if kept else None)
    sound, _, rate = heard(path)
    onset = np.argmax(np.abs(sound[0]) > 0.3) / rate
    flash = next(moment for moment, picture in pictures(path) if picture[-4, 32, 1] > 120)
    assert onset == pytest.approx(1, abs=0.003)
    assert flash == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("rate", "layout", "channels", "kept_rate", "kept_channels"),
    [
        (48_000, "stereo", 2, 48_000, 2),
        (44_100, "mono", 1, 44_100, 1),
        (96_000, "stereo", 2, 48_000, 2),
        (48_000, "5.1", 6, 48_000, 2),
        (8_000, "mono", 1, 8_000, 1),
        (37_800, "mono", 1, 44_100, 1),
    ],
)
def test_the_original_sound_is_kept(tmp_path, rate, layout, channels, kept_rate, kept_channels):
    sound = np.repeat(tone(2.5, rate)[None], channels, axis=0)
    source = write_sound(tmp_path / "voice.wav", sound, rate, layout)
    kept, first, found_rate = heard(render(WavSource(source), tmp_path / "out.mp4", sound=source))
    assert (first, found_rate, len(kept)) == (0, kept_rate, kept_channels)
    assert kept.shape[1] / kept_rate == pytest.approx(2.5, abs=2048 / kept_rate)
    if channels <= 2:
        span = slice(kept_rate // 4, kept_rate * 2)
        expected = tone(2.5, kept_rate)
        assert np.abs(kept[0, span] - expected[span]).mean() < 0.02


def test_a_stream_that_is_stopped_cuts_the_original(tmp_path):
    source = write_sound(tmp_path / "voice.wav", tone(20, 16_000)[None], 16_000)
    kept, *_ = heard(render(tone(3, 16_000), tmp_path / "out.mp4", sound=source))
    assert kept.shape[1] / 16_000 == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize(("size", "matrix"), [((64, 64), 5), ((1280, 720), 1)], ids=["BT.601", "BT.709"])
def test_colours_survive_and_are_tagged(tmp_path, size, matrix):
    colours = np.array([[200, 30, 40], [30, 190, 60], [40, 50, 220], [128, 128, 128], [250, 240, 20]], np.uint8)

    class Painter(LoudnessAnimator):
        def step(self, samples, state):
            return np.broadcast_to(colours[state], (self.height, self.width, 3)).copy(), state + 1

    path = render(voice(0.2), tmp_path / "out.mp4", Painter(size=size))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range, context.color_primaries) == (matrix, 1, 1)
        assert context.pix_fmt == "yuv420p"
    for (_, picture), colour in zip(pictures(path), colours, strict=True):
        assert np.abs(picture.astype(int) - colour).max() <= 4


def test_odd_sizes_lose_a_row_and_a_column(tmp_path):
    path = render(voice(0.2), tmp_path / "out.mp4", LoudnessAnimator(size=(65, 49)))
    assert pictures(path)[0][1].shape == (48, 64, 3)


def test_frames_left_out_keep_the_time(tmp_path):
    async def main():
        sink = VideoFile(tmp_path / "out.mp4")
        await sink.open(StreamSpec(64, 64, Fraction(25)))
        for number in (0, 1, 5, 9):
            sound = AudioChunk(np.zeros(640, np.float32), 640 * number)
            await sink.show(VideoFrame(np.zeros((64, 64, 3), np.uint8), number), sound)
        await sink.close()

    asyncio.run(main())
    assert [moment for moment, _ in pictures(tmp_path / "out.mp4")] == pytest.approx([0, 0.04, 0.2, 0.36])
    assert heard(tmp_path / "out.mp4")[0].shape[1] == pytest.approx(6400, abs=1024)


def test_an_old_file_is_replaced_in_the_end_only(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    sink = VideoFile(path)
    asyncio.run(sink.open(StreamSpec(64, 64, Fraction(25))))
    assert path.read_bytes() == b"old"
    sink.abort()
    assert path.read_bytes() == b"old"
    assert left_behind(tmp_path) == ["out.mp4"]
    render(voice(0.2), path)
    assert len(pictures(path)) == 5


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere/out.mp4", "no folder"),
        ("file/out.mp4", "no folder"),
        ("folder.mp4", "is a folder"),
        ("out.avi", "does not end in .mp4"),
        ("out", "does not end in .mp4"),
        ("voice.mp4", "the voice itself"),
    ],
)
def test_a_path_that_cannot_be_written(tmp_path, name, sentence):
    (tmp_path / "file").touch()
    (tmp_path / "voice.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    before = left_behind(tmp_path)
    with pytest.raises(InputError, match=sentence):
        VideoFile(tmp_path / name, sound=tmp_path / "voice.mp4")
    assert left_behind(tmp_path) == before


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(InputError, match="may not write"):
        VideoFile(tmp_path / "out.mp4")


def test_a_name_too_long_for_the_disk(tmp_path):
    sink = VideoFile(tmp_path / f"{'x' * 250}.mp4")
    with pytest.raises(InputError, match="cannot be written"):
        asyncio.run(sink.open(StreamSpec(64, 64, Fraction(25))))


def test_a_sound_file_that_cannot_be_read(tmp_path):
    (tmp_path / "noise").write_bytes(bytes(1000))
    with pytest.raises(InputError, match="cannot be read as sound"):
        render(voice(1), tmp_path / "out.mp4", sound=tmp_path / "noise")
    assert left_behind(tmp_path) == ["noise"]


def test_a_full_disk_loses_the_sink(tmp_path, monkeypatch):
    def full(self, frame, sound):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("realtime.sinks.mp4.Mp4Writer.write", full)
    with pytest.raises(SinkLost, match="No space left"):
        render(voice(1), tmp_path / "out.mp4")
    assert left_behind(tmp_path) == []


def test_cancelling_leaves_nothing(tmp_path):
    async def main():
        drawing = asyncio.Event()
        animator = LoudnessAnimator(cost=lambda number: number == 20 and drawing.set())
        sink = VideoFile(tmp_path / "out.mp4")
        stream = asyncio.create_task(run(ListSource(voice(60), 1600), animator, [sink], live=False))
        await drawing.wait()
        assert left_behind(tmp_path)
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)

    run_virtually(main())
    assert left_behind(tmp_path) == []


def test_ctrl_c_leaves_nothing(tmp_path):
    script = """
import asyncio, signal, sys
from pathlib import Path
from fakes import ListSource, LoudnessAnimator, voice
from realtime.loop import run
from realtime.sinks.video_file import VideoFile
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
animator = LoudnessAnimator(cost=lambda number: number == 20 and print("drawing", flush=True))
try:
    asyncio.run(run(ListSource(voice(600), 1600), animator, [VideoFile(Path(sys.argv[1]))], live=False))
except KeyboardInterrupt:
    sys.exit(130)
"""
    room = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(room.parents[1]), str(room)])}
    command = [sys.executable, "-c", script, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"drawing\n"
        assert left_behind(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert left_behind(tmp_path) == []
