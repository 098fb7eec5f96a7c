"""Following one face through a clip: 478 points per frame.

The face mesh network looks at a square that comes from the points of the frame before; only at the beginning and after
a loss does the detector search the whole frame. The clip is cut into segments of fixed length, each warmed up on the
frames before it, so that the result is the same whatever the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64

from models.downloads import tracker_networks
from models.errors import TrackingError
from models.face_follower import FaceFollower, FaceNetworks
from models.face_mesh import ALL_POINTS
from models.square import Image
from models.video import VideoInfo, probe, read_frames

SEGMENT, WARM_UP = 128, 8  # frames; after 8 the square no longer remembers where it began
INSPECTIONS_PER_SECOND = 2

Progress = Callable[[int, int], None]  # frames done, frames in all


@dataclass(frozen=True)
class Track:
    """A face over N frames at a constant rate; see conventions.md for the axes."""

    points: Float32[np.ndarray, "N 478 3"]  # frame px, z towards the camera; NaN where not valid
    valid: Bool[np.ndarray, " N"]
    confidence: Float32[np.ndarray, " N"]  # 0..1, that the points are on a face
    times: Float64[np.ndarray, " N"]  # s since the first picture, n / fps
    width: int
    height: int
    fps: Fraction
    rivals: float  # share of the inspections (of the whole frame, two per second) that show another face as large

    def report(self) -> str:
        """One sentence: in how many frames the face was found, and when it was lost."""
        found, total = int(self.valid.sum()), len(self.valid)
        edges = np.flatnonzero(np.diff(np.concatenate([[True], self.valid, [True]]).astype(np.int8)))
        rate = float(self.fps)
        gaps = [f"{first / rate:.2f}-{last / rate:.2f} s" for first, last in edges.reshape(-1, 2).tolist()]
        shown = ", ".join(gaps[:8]) + (f" and {len(gaps) - 8} more" if len(gaps) > 8 else "")
        return f"face found in {found} of {total} frames" + (f"; lost at {shown}" if gaps else "")

    def save(self, path: str | Path) -> None:
        """Write an .npz without pickled objects."""
        partial = Path(f"{path}.partial")
        with partial.open("wb") as file:
            np.savez(
                file, points=self.points, valid=self.valid, confidence=self.confidence, times=self.times,
                size=np.array([self.width, self.height]), fps=np.array(str(self.fps)), rivals=np.array(self.rivals),
            )  # fmt: skip
        os.replace(partial, path)

    @staticmethod
    def load(path: str | Path) -> Track:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            width, height = data["size"].tolist()
            return Track(
                data["points"], data["valid"], data["confidence"], data["times"],
                width, height, Fraction(str(data["fps"])), float(data["rivals"]),
            )  # fmt: skip


def track_video(path: str | Path, jobs: int = 1, progress: Progress | None = None) -> Track:
    """Follow the largest face of a video in `jobs` processes.

    Raises VideoError when the file cannot be read, TrackingError when no frame shows a face or the networks are absent.
    """
    info = probe(path)
    tracker_networks()  # fetched once, before the processes start
    report = progress or (lambda done, total: None)
    parts = _parts(info.frames, jobs)
    if jobs == 1:
        runs = [_track_run(path, info, start, stop, lambda n: report(n, info.frames)) for start, stop in parts]
    else:
        runs = _track_in_processes(path, info, parts, jobs, lambda n: report(n, info.frames))
    return _joined(path, info, runs)


@dataclass(frozen=True)
class _Run:
    """What one process found in a stretch of frames."""

    points: Float32[np.ndarray, "N 478 3"]
    confidence: Float32[np.ndarray, " N"]
    inspections: int
    rivals: int


def _parts(frames: int, jobs: int) -> list[tuple[int, int]]:
    """Stretches of whole segments, about four per process so that progress shows and none waits long for the last."""
    if jobs == 1:
        return [(0, frames)]
    segments = -(-frames // SEGMENT)
    step = SEGMENT * max(1, segments // (4 * jobs))
    return [(start, min(start + step, frames)) for start in range(0, frames, step)]


def _track_in_processes(
    path: str | Path, info: VideoInfo, parts: list[tuple[int, int]], jobs: int, done: Callable[[int], None]
) -> list[_Run]:
    before = multiprocessing.active_children()
    runs: dict[int, _Run] = {}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        futures = {pool.submit(_track_run, path, info, start, stop): start for start, stop in parts}
        try:
            for future in as_completed(futures):
                runs[futures[future]] = future.result()
                done(sum(len(run.points) for run in runs.values()))
        except BaseException:  # Ctrl-C included: nobody waits for work that is no longer wanted
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - set(before):
                child.terminate()
            raise
    return [runs[start] for start, _ in parts]


def _joined(path: str | Path, info: VideoInfo, runs: list[_Run]) -> Track:
    points = np.concatenate([run.points for run in runs])
    valid = ~np.isnan(points[:, 0, 0])
    if not valid.any():
        raise TrackingError(f"{path}: no face was found in it; use a clip that shows a face from the front.")
    return Track(
        points=points,
        valid=valid,
        confidence=np.concatenate([run.confidence for run in runs]),
        times=np.arange(len(points)) / float(info.fps),
        width=info.width,
        height=info.height,
        fps=info.fps,
        rivals=sum(run.rivals for run in runs) / max(1, sum(run.inspections for run in runs)),
    )


def _track_run(
    path: str | Path, info: VideoInfo, start: int, stop: int, done: Callable[[int], None] | None = None
) -> _Run:
    """Frames start..stop-1, where start is the beginning of a segment."""
    networks = FaceNetworks()
    points = np.full((stop - start, ALL_POINTS, 3), np.nan, np.float32)
    confidence = np.zeros(stop - start, np.float32)
    inspect_every = max(1, round(info.fps / INSPECTIONS_PER_SECOND))
    inspections = rivals = 0
    first = max(0, start - WARM_UP)
    for n, frame, follower in _followed(networks, first, (p for _, p in read_frames(path, first, stop, info))):
        found, score = follower.follow(frame)
        if n < start:
            continue
        confidence[n - start] = score
        if found is not None:
            points[n - start] = found
        if n % inspect_every == 0:
            inspections += 1
            rivals += networks.has_rival(frame, found)
        if done:
            done(n + 1)
    return _Run(points, confidence, inspections, rivals)


def _followed(networks: FaceNetworks, first: int, frames: Iterable[Image]) -> Iterator[tuple[int, Image, FaceFollower]]:
    """Number, frame, and the follower whose answer counts; the next segment's is warmed up on the side."""
    current = FaceFollower(networks)
    fresh: FaceFollower | None = None
    for n, frame in enumerate(frames, first):
        if fresh is not None and n % SEGMENT == 0:
            current, fresh = fresh, None
        if n > first and (n + WARM_UP) % SEGMENT == 0:
            fresh = FaceFollower(networks)
        if fresh is not None:
            fresh.follow(frame)
        yield n, frame, current
