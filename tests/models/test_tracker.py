"""The tracker keeps to one face, says when it lost it, and gives the same answer for any number of processes.

Tests marked with `networks` need the face networks, which are fetched on first use, and skip when that fails; those on
real faces skip when the clips are absent.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clip_maker import counted, write_clip

from models.downloads import tracker_networks
from models.errors import TrackingError
from models.tracker import SEGMENT, Track, _parts, track_video
from models.video import read_frames

CLIPS = Path(__file__).parents[2] / "../shared/data/clips"
FACE_CLIP = CLIPS / "andrew_clip_1.mp4"
real_clips = pytest.mark.skipif(
    not FACE_CLIP.is_file(), reason="real clips absent: ../shared/data is not part of the project"
)


@pytest.fixture(scope="module")
def networks():
    try:
        return tracker_networks()
    except TrackingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def faces():
    """160 pictures of a man who speaks, 256 × 256 px."""
    return [picture for _, picture in read_frames(FACE_CLIP, 0, SEGMENT + 32)]


def a_track(valid, rivals=0.0):
    valid = np.array(valid, bool)
    points = np.full((len(valid), 478, 3), np.nan, np.float32)
    points[valid] = np.random.default_rng(0).normal(size=(int(valid.sum()), 478, 3))
    times = np.arange(len(valid)) / 25
    return Track(points, valid, valid.astype(np.float32), times, 96, 64, Fraction(25), rivals)


def clip_of(path, pictures):
    return write_clip(path, pictures, [n / 25 for n in range(len(pictures))])


def test_save_and_load_round_trip(tmp_path):
    track = a_track([True, False, True], rivals=0.125)
    track.save(tmp_path / "track.npz")
    again = Track.load(tmp_path / "track.npz")
    np.testing.assert_array_equal(again.points, track.points)
    np.testing.assert_array_equal(again.times, track.times)
    assert (again.width, again.height, again.fps, again.rivals) == (96, 64, Fraction(25), 0.125)
    assert [p.name for p in tmp_path.iterdir()] == ["track.npz"]


def test_report_names_the_gaps():
    assert a_track([True] * 4).report() == "face found in 4 of 4 frames"
    report = a_track([False] * 30 + [True] * 30 + [False] * 30).report()
    assert report == "face found in 30 of 90 frames; lost at 0.00-1.20 s, 2.40-3.60 s"


@pytest.mark.parametrize("frames", [1, 127, 128, 129, 1500, 20_000])
@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_parts_cover_the_clip_and_begin_with_segments(frames, jobs):
    parts = _parts(frames, jobs)
    assert [start for start, _ in parts] == [0, *(stop for _, stop in parts[:-1])]
    assert parts[-1][1] == frames
    assert all(start % SEGMENT == 0 for start, _ in parts)


def test_no_face_is_one_clear_error(networks, tmp_path):
    path = clip_of(tmp_path / "clip.mp4", [counted(n % 25, 120, 160) for n in range(20)])
    with pytest.raises(TrackingError, match=r"clip\.mp4: no face was found"):
        track_video(path)


@real_clips
def test_points_lie_where_conventions_say(networks, faces, tmp_path):
    track = track_video(clip_of(tmp_path / "clip.mp4", faces[:40]))
    assert track.valid.all()
    assert track.points.dtype == np.float32
    assert (track.confidence > 0.9).all()
    u, v, z = np.moveaxis(track.points, -1, 0)
    assert (u[:, 33] < u[:, 263]).all()  # the person's left is screen right
    assert (v[:, 10] < v[:, 152]).all()  # v runs from the forehead down to the chin
    assert (z[:, 1] > z[:, 234]).all()  # the nose is nearer to the camera than the ear
    assert (z[:, 1] > z[:, 454]).all()
    for iris, outer, inner in ((468, 33, 133), (473, 263, 362)):
        between = (u[:, iris] - u[:, outer]) / (u[:, inner] - u[:, outer])
        assert ((between > 0.1) & (between < 0.9)).all()
    assert track.rivals == 0


@real_clips
def test_any_number_of_processes_gives_the_same(networks, faces, tmp_path):
    path = clip_of(tmp_path / "clip.mp4", faces)
    seen = []
    alone = track_video(path, jobs=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n + 1, len(faces)) for n in range(len(faces))]
    seen.clear()
    together = track_video(path, jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(faces), len(faces))
    np.testing.assert_array_equal(together.points, alone.points)
    np.testing.assert_array_equal(together.confidence, alone.confidence)
    steps = np.linalg.norm(np.diff(alone.points[:, :468, :2], axis=0), axis=-1).mean(axis=1)
    assert steps[SEGMENT - 1] < 2 * np.median(steps) + 0.1  # no jump between segments


@real_clips
def test_loss_is_reported_and_the_face_found_again(networks, faces, tmp_path):
    empty = np.full_like(faces[0], 90)
    track = track_video(clip_of(tmp_path / "clip.mp4", faces[:25] + [empty] * 50 + faces[25:50]))
    assert track.valid.tolist() == [True] * 25 + [False] * 50 + [True] * 25
    assert np.isnan(track.points[~track.valid]).all()
    assert track.report() == "face found in 50 of 100 frames; lost at 1.00-3.00 s"


@real_clips
def test_two_faces_are_noticed(networks, faces, tmp_path):
    track = track_video(clip_of(tmp_path / "clip.mp4", [np.hstack([face, face[:, ::-1]]) for face in faces[:25]]))
    assert track.rivals == 1
