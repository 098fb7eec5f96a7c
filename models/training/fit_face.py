"""Fit a face model to a tracked clip: the person's shape once, pose and expression per frame.

The two are solved in turn (fit_steps.py), each with all frames at once: robust least squares on the reprojection of the
landmarks, with priors on shape, expression and acceleration. Along the face's outline only the distance from the
contour counts, since what the tracker calls the outline slides over the skin as the head turns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.spatial.transform import Rotation

from models.camera import Camera, project, transform
from models.errors import FaceModelError, TrackingError
from models.face_model import FaceModel, read_tensors, write_tensors
from models.tracker import Progress, Track
from models.training.fit_steps import Motion, Observation, Shape, motion_step, shape_step, spread_offsets
from models.training.heads import CLOSED, GAP, PUPILS, RIGID, similarity
from models.training.tracked_mesh import LIP_RINGS, OUTLINE

FOCAL = 2.0
"""Focal length over the picture's longer side: a mild tele lens; what is wrong with it the depth makes up for."""
ROUNDS = 6
NOISE, LIP_NOISE = 0.012, 0.006  # the tracker's, over the pupils' distance
SLIDE = 10.0  # how much less an error along the outline counts
MOTION = ("expression", "rotation", "translation", "residual", "valid")
LIPS = [point for ring in LIP_RINGS for point in ring]


@dataclass(frozen=True)
class FaceFit:
    """A person's face model and its motion through a clip of N frames."""

    face: FaceModel
    """Personal: its mean is the neutral face with the lips closed, I = 0."""
    expression: Float32[np.ndarray, "N K"]
    rotation: Float32[np.ndarray, "N 3"]
    """Head to camera, rotation vectors in radians."""
    translation: Float32[np.ndarray, "N 3"]
    """Head's origin in the camera frame, cm."""
    camera: Camera
    residual: Float32[np.ndarray, "N"]
    """Root mean square distance of the landmarks from the tracked points, px."""
    valid: Bool[np.ndarray, "N"]
    """False where the face was lost; the motion is interpolated there."""
    fps: Fraction

    def landmarks(self) -> Float32[np.ndarray, "N M 2"]:
        """The model's landmarks in the picture, px, in the order of face.landmarks."""
        chosen = self.face.landmarks[:, 1]
        points = self.face.mean[chosen] + np.tensordot(self.expression, self.face.expression[:, chosen], 1)
        return project(self.camera, transform(points, self.rotation, self.translation))[..., :2]

    def save(self, path: Path) -> None:
        """Write face and motion as one safetensors file."""
        tensors, metadata = self.face.packed()
        camera = self.camera
        view = np.array([camera.focal, camera.cx, camera.cy, camera.width, camera.height])
        motion = {f"motion.{name}": np.ascontiguousarray(getattr(self, name)) for name in MOTION}
        write_tensors(path, tensors | motion | {"camera": view}, metadata | {"fps": str(self.fps)})

    @classmethod
    def load(cls, path: Path) -> FaceFit:
        """Read what `save` wrote. Raises FaceModelError when the file is something else."""
        tensors, metadata = read_tensors(path)
        face = FaceModel.unpacked(tensors, metadata, path)
        if "camera" not in tensors:
            raise FaceModelError(f"{path} holds a face but no fitted motion; fit the clip again.")
        focal, cx, cy, width, height = tensors["camera"].tolist()
        camera = Camera(focal, cx, cy, int(width), int(height))
        motion = {name: tensors[f"motion.{name}"] for name in MOTION}
        return cls(face=face, camera=camera, fps=Fraction(metadata["fps"]), **motion)


def fit(track: Track, model: FaceModel, progress: Progress | None = None) -> FaceFit:
    """Fit the model to a tracked clip.

    Raises TrackingError when fewer than ten frames show the face, FaceModelError when the model has too few landmarks.
    """
    if track.valid.sum() < 10:
        raise TrackingError(f"Only {int(track.valid.sum())} frames show a face; ten are needed to fit one.")
    if np.isin(model.landmarks[:, 0], RIGID).sum() < 6:
        raise FaceModelError(f"The face model '{model.name}' has too few landmarks on rigid parts of the head.")
    points = filled(track)
    side = FOCAL * max(track.width, track.height)
    camera = Camera(side, track.width / 2, track.height / 2, track.width, track.height)
    shape = mean_shape(model)
    motion, depth = first_pose(points, model, camera)
    seen = Observation(camera, *weighted(points, track.valid, model), depth, float(1 / track.fps))
    for round_number in range(ROUNDS):
        shape = shape_step(seen, shape, motion)
        motion = motion_step(seen, shape, motion)
        if round_number < ROUNDS - 1:
            shape, motion = recentred(shape, motion, motion.expression.mean(0))
        if progress:
            progress(round_number + 1, ROUNDS)
    shape, motion = recentred(shape, motion, lips_closed(points, track.valid, motion))
    return assembled(track, model, camera, shape, motion)


def filled(track: Track) -> Float[np.ndarray, "N 478 3"]:
    """Tracked points, linearly interpolated over time where the face was lost."""
    points = track.points.astype(float)
    known = np.flatnonzero(track.valid)
    frames = np.arange(len(points))
    after = np.clip(np.searchsorted(known, frames), 1, len(known) - 1)
    first, last = known[after - 1], known[after]
    share = np.clip((frames - first) / (last - first), 0, 1)[:, None, None]
    return np.where(share > 0, points[last], 0) * share + np.where(share < 1, points[first], 0) * (1 - share)


def mean_shape(model: FaceModel) -> Shape:
    """The model's mean person at its landmarks."""
    chosen = model.landmarks[:, 1]
    return Shape(
        mean=model.mean[chosen].astype(float),
        basis=model.identity[:, chosen].astype(float),
        expressions=model.expression[:, chosen].astype(float),
        scale=model.expression_scale.astype(float),
        identity=np.zeros(len(model.identity)),
        own=np.zeros((len(chosen), 3)),
        habit=np.zeros(len(model.expression)),
    )


def first_pose(
    points: Float[np.ndarray, "N 478 3"], model: FaceModel, camera: Camera
) -> tuple[Motion, Float[np.ndarray, "M"]]:
    """Pose from the similarity that lays the tracker's points on the mean face; and their depth in its frame."""
    rigid = np.isin(model.landmarks[:, 0], RIGID)
    face = model.mean[model.landmarks[:, 1]].astype(float)
    seen = points[:, model.landmarks[:, 0]] * [1, -1, 1]
    rotation, scale, shift = similarity(seen[:, rigid], face[rigid])
    depth = np.median(seen @ rotation * scale[:, None, None] + shift, 0)[:, 2]
    distance = camera.focal * scale  # where 1 cm is 1 / scale px
    # The head's origin in the picture: the point that the similarity maps to zero.
    origin = (-shift[:, 0, None] @ np.swapaxes(rotation, 1, 2))[:, 0] / scale[:, None]
    translation = np.stack([(origin[:, 0] - camera.cx) * scale, (origin[:, 1] + camera.cy) * scale, -distance], 1)
    motion = Motion(
        Rotation.from_matrix(rotation).as_rotvec(), translation, np.zeros((len(points), len(model.expression)))
    )
    return motion, depth


def weighted(
    points: Float[np.ndarray, "N 478 3"], valid: Bool[np.ndarray, "N"], model: FaceModel
) -> tuple[Float[np.ndarray, "N M 2"], Float[np.ndarray, "N M 2 2"]]:
    """The landmarks' places in the picture, and the matrices that turn errors there into standard deviations."""
    chosen = model.landmarks[:, 0]
    apart = np.median(np.linalg.norm(points[:, PUPILS[0], :2] - points[:, PUPILS[1], :2], axis=1))
    noise = apart * np.where(np.isin(chosen, LIPS), LIP_NOISE, NOISE)
    whiten = np.tile(np.eye(2), (len(points), len(chosen), 1, 1)) / noise[:, None, None]
    loop = points[:, OUTLINE, :2]
    along = np.roll(loop, -1, 1) - np.roll(loop, 1, 1)
    along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    slack = np.eye(2) - (1 - 1 / SLIDE) * along[..., :, None] * along[..., None, :]
    for place, point in enumerate(OUTLINE):
        whiten[:, chosen == point] = whiten[:, chosen == point] @ slack[:, place, None]
    whiten[~valid] *= 1e-2  # interpolated points only keep the motion from drifting
    return points[:, chosen, :2], whiten


def recentred(shape: Shape, motion: Motion, zero: Float[np.ndarray, "K"]) -> tuple[Shape, Motion]:
    """The same faces with `zero` as the neutral expression."""
    return (
        replace(shape, habit=shape.habit + zero),
        replace(motion, expression=motion.expression - zero),
    )


def lips_closed(
    points: Float[np.ndarray, "N 478 3"], valid: Bool[np.ndarray, "N"], motion: Motion
) -> Float[np.ndarray, "K"]:
    """The mean expression of the frames with the smallest lip gap: zero means the same face for everybody."""
    gap = np.linalg.norm(points[:, GAP[0], :2] - points[:, GAP[1], :2], axis=1) * -motion.translation[:, 2]
    return motion.expression[valid & (gap <= np.quantile(gap[valid], CLOSED))].mean(0)


def assembled(track: Track, model: FaceModel, camera: Camera, shape: Shape, motion: Motion) -> FaceFit:
    """The result in single precision, with its residual."""
    offsets = spread_offsets(model, shape.own) + np.tensordot(shape.habit, model.expression, 1)
    result = FaceFit(
        face=model.personalise(shape.identity.astype(np.float32), offsets.astype(np.float32)),
        expression=motion.expression.astype(np.float32),
        rotation=motion.rotation.astype(np.float32),
        translation=motion.translation.astype(np.float32),
        camera=camera,
        residual=np.zeros(len(track.points), np.float32),
        valid=track.valid,
        fps=track.fps,
    )
    error = result.landmarks() - filled(track)[:, model.landmarks[:, 0], :2]
    return replace(result, residual=np.sqrt((error**2).sum(-1).mean(1)).astype(np.float32))
