"""The verdict: a good clip is green where it is good, a spoilt one is told so with the reason, and nothing crashes."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from models.background import Background
from models.downloads import tracker_networks
from models.errors import InputError
from models.puppet import Puppet
from models.tracker import Track, track_video
from models.training import verdict
from models.training.clip_pictures import comb, covered, cuts, look_at
from models.training.mouth_shapes import missing_shapes, mouth_of
from models.training.verdict import Light, examine, without

FRAMES = 50
SIDE = 256


@pytest.fixture(scope="module")
def faces():
    """The bundled character, two seconds."""
    puppet = Puppet.bundled()
    background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
    return [
        cv2.resize(background.frame(n), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for n in range(100, 100 + FRAMES)
    ]


@pytest.fixture(scope="module")
def track(faces, tmp_path_factory):
    try:
        tracker_networks()
    except InputError as error:
        pytest.skip(str(error))
    return track_video(write(tmp_path_factory.mktemp("clip") / "good.mp4", faces))


def write(path, pictures, fps=25, **options):
    """A video with a tone that comes and goes."""
    with av.open(str(path), "w") as file:
        picture = file.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "ultrafast"} | options)
        picture.height, picture.width = pictures[0].shape[:2]
        picture.pix_fmt = "yuv420p"
        sound = file.add_stream("aac", rate=16_000, layout="mono")
        for pixels in pictures:
            file.mux(picture.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        file.mux(picture.encode(None))
        time = np.arange(16_000 * len(pictures) // fps) / 16_000
        tone = 0.3 * np.sin(2 * np.pi * 150 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
        frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 16_000, Fraction(1, 16_000), 0
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path


def found(path, track) -> dict[str, Light]:
    return {finding.about: finding.light for finding in examine(path, track).findings}


def with_hand(picture, track, n):
    """Something of another colour than lips and chin, over both."""
    x, y = track.points[n, 13, :2].astype(int)
    spoilt = picture.copy()
    cv2.ellipse(spoilt, (int(x), int(y) + 5), (34, 40), 0, 0, 360, (150, 110, 60), -1, cv2.LINE_AA)
    return spoilt


def with_glasses(picture, track, n):
    spoilt = picture.copy()
    for point in (468, 473):
        x, y = track.points[n, point, :2].astype(int)
        cv2.circle(spoilt, (int(x), int(y)), 22, (20, 20, 20), 3, cv2.LINE_AA)
    return spoilt


def test_a_clean_clip_has_nothing_against_its_pictures(faces, track, tmp_path):
    lights = found(write(tmp_path / "clip.mp4", faces), track)
    for about in ("Face found", "Mouth hidden", "Light", "Shots", "Other people", "Rows", "Compression"):
        assert lights[about] == Light.green, about


def test_every_finding_that_is_not_green_has_advice(faces, track, tmp_path):
    examined = examine(write(tmp_path / "clip.mp4", faces), track)
    assert all(bool(finding.advice) == (finding.light != Light.green) for finding in examined.findings)
    assert examined.light == Light.red  # two seconds of a tone
    assert examined.report()[0]["about"] == "Speech"


def test_a_hand_before_the_mouth_is_seen_and_left_out(faces, track, tmp_path):
    spoilt = [with_hand(face, track, n) if 20 <= n < 35 else face for n, face in enumerate(faces)]
    examined = examine(write(tmp_path / "clip.mp4", spoilt), track)
    assert {f.about: f.light for f in examined.findings}["Mouth hidden"] == Light.amber
    assert np.flatnonzero(~examined.usable).tolist() == list(range(20, 35))
    rest = without(track, examined.usable)
    assert rest.valid.sum() == FRAMES - 15
    assert np.isnan(rest.points[20:35]).all()


def test_glasses_are_no_fault(faces, track, tmp_path):
    spoilt = [with_glasses(face, track, n) for n, face in enumerate(faces)]
    path = write(tmp_path / "clip.mp4", spoilt[:20])
    again = track_video(path)
    lights = found(path, again)
    assert again.valid.all()
    assert lights["Mouth hidden"] == lights["Shots"] == lights["Face found"] == Light.green


def test_a_cut_is_found_and_its_surroundings_left_out(faces, track, tmp_path):
    """The second shot is nearer."""
    near = [cv2.resize(face[30:230, 28:228], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for face in faces]
    spoilt = faces[:25] + near[25:]
    moved = track.points.copy()
    moved[25:, :, :2] = (moved[25:, :, :2] - [28, 30]) * SIDE / 200
    two = Track(moved, track.valid, track.confidence, track.times, SIDE, SIDE, track.fps, 0.0)
    looks = look_at(spoilt, two)
    assert cuts(looks, two).tolist() == [25]
    examined = examine(write(tmp_path / "clip.mp4", spoilt), two)
    assert {f.about: f.light for f in examined.findings}["Shots"] != Light.green
    assert np.flatnonzero(~examined.usable).tolist() == list(range(21, 29))


def test_two_different_people_are_red(faces, track, tmp_path):
    """The second has a blue beard."""
    spoilt = faces[:25] + [with_hand(face, track, n) for n, face in enumerate(faces[25:], 25)]
    spoilt = [np.roll(face, 40, axis=1) if n >= 25 else face for n, face in enumerate(spoilt)]
    moved = track.points + np.where(np.arange(FRAMES) >= 25, 40, 0)[:, None, None] * np.float32([1, 0, 0])
    two = Track(moved.astype(np.float32), track.valid, track.confidence, track.times, SIDE, SIDE, track.fps, 0.0)
    assert found(write(tmp_path / "clip.mp4", spoilt), two)["Shots"] == Light.red


def test_a_second_person_is_red(faces, track, tmp_path):
    path = write(tmp_path / "clip.mp4", [np.hstack([face, face[:, ::-1]]) for face in faces[:14]])
    assert found(path, track_video(path))["Other people"] == Light.red


def test_somebody_who_walks_through_is_amber(faces, track, tmp_path):
    """For a third of a second, beside the person, who is followed all the same."""
    empty = np.full_like(faces[0], 70)
    clip = [np.hstack([face, face[:, ::-1] if 20 <= n < 28 else empty]) for n, face in enumerate(faces)]
    path = write(tmp_path / "clip.mp4", clip)
    again = track_video(path)
    assert found(path, again)["Other people"] == Light.amber
    assert again.valid.all()
    assert np.abs(again.points[:, 1, 0] - track.points[:, 1, 0]).max() < 4


@pytest.mark.parametrize(("fps", "light"), [(10, Light.red), (15, Light.amber), (120, Light.green)])
def test_frame_rates(faces, track, tmp_path, fps, light):
    path = write(tmp_path / "clip.mp4", faces[:12], fps)
    again = track_video(path)
    assert found(path, again)["Frame rate"] == light


def test_a_still_picture_is_red(faces, track, tmp_path):
    path = write(tmp_path / "clip.mp4", faces[:1] * FRAMES)
    still = Track(
        np.repeat(track.points[:1], FRAMES, 0), track.valid, track.confidence, track.times, 256, 256, track.fps, 0.0
    )
    assert found(path, still)["Frame rate"] == Light.red


def test_four_thousand_pixels(faces, track, tmp_path):
    big = [cv2.resize(face, (2160, 2160), interpolation=cv2.INTER_CUBIC) for face in faces[:6]]
    points = track.points[:6] * np.float32(2160 / SIDE)
    few = Track(points, track.valid[:6], track.confidence[:6], track.times[:6], 2160, 2160, track.fps, 0.0)
    lights = found(write(tmp_path / "clip.mp4", big), few)
    assert lights["Mouth"] == lights["Shots"] == Light.green


def test_interlaced_pictures_are_red(faces, track, tmp_path):
    """Rows in turn from two moments; the head sways."""
    swaying = [np.roll(face, round(6 * np.sin(n)), axis=1) for n, face in enumerate(faces)]
    woven = []
    for now, then in zip(swaying, swaying[1:] + swaying[-1:], strict=True):
        both = now.copy()
        both[1::2] = then[1::2]
        woven.append(both)
    assert found(write(tmp_path / "clip.mp4", woven, crf="8"), track)["Rows"] == Light.red
    assert comb(faces[0]) < 6


def test_heavy_compression_is_told(faces, track, tmp_path):
    path = write(tmp_path / "clip.mp4", faces, crf="48", preset="medium")
    assert found(path, track)["Compression"] != Light.green


@pytest.mark.parametrize("spoil", [lambda n: 1 - 0.4 * (n > 25), lambda n: 1 + 0.15 * np.sin(2.1 * n)])
def test_changing_light_is_told(faces, track, tmp_path, spoil):
    spoilt = [np.clip(face * spoil(n), 0, 255).astype(np.uint8) for n, face in enumerate(faces)]
    assert found(write(tmp_path / "clip.mp4", spoilt), track)["Light"] == Light.amber


def test_a_small_mouth_is_told(faces, track, tmp_path):
    small = [cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA) for face in faces]
    tiny = Track(track.points / 4, track.valid, track.confidence, track.times, 64, 64, track.fps, 0.0)
    assert found(write(tmp_path / "clip.mp4", small), tiny)["Mouth"] == Light.red


def test_frames_without_a_face_are_counted(faces, track, tmp_path):
    few = without(track, np.arange(FRAMES) < 20)
    assert found(write(tmp_path / "clip.mp4", faces), few)["Face found"] == Light.red


def test_shapes_that_were_not_seen_are_named(track):
    closed = track.points.copy()
    closed[:, 14] = closed[:, 13]
    still = Track(closed, track.valid, track.confidence, track.times, SIDE, SIDE, track.fps, 0.0)
    missing = missing_shapes(mouth_of(still), 25.0)
    assert "the mouth wide open (open vowels)" in missing
    assert "the lips closed now and then (m, b, p)" not in missing


def test_hidden_frames_need_many_strange_places(faces, track):
    assert not covered(look_at(faces, track), track.valid).any()


def test_a_finding_says_how_far_the_lips_lag(monkeypatch, faces, track, tmp_path):
    monkeypatch.setattr(verdict, "measure", lambda *_: verdict.Offset(120.0, 0.6, 5.0, 20.0))
    examined = examine(write(tmp_path / "clip.mp4", faces), track)
    assert next(f.found for f in examined.findings if f.about == "Sound and lips") == "lips 120 ms late (±5 ms, r 0.60)"
