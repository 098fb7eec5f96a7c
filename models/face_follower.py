"""One face, frame after frame: where it was is where it is sought first."""

from __future__ import annotations

import numpy as np

from models.downloads import tracker_networks
from models.face_detector import FaceDetector
from models.face_mesh import FaceMesh, face_square
from models.square import Image, Points, Square

MIN_CONFIDENCE = 0.5
SAME_FACE = 0.1  # overlap from which a find is the face that was there before
RIVAL_SIZE = 0.6  # of the face that is followed: smaller ones are people in the background

# The mesh network looks twice at each face, at squares that differ a little in size and roll (radians), and the mean
# counts: part of its error depends on how exactly the square lies. Against one look, on three clips: 18 to 32 % less
# jitter of the face, 13 to 22 % less of the lips, no lag, amplitude kept within 4 %. Smoothing the square gave less.
LOOKS = ((0.95, -0.06), (1.05, 0.06))


class FaceNetworks:
    """The detector and the mesh; one instance serves one thread. The files are fetched on first use."""

    def __init__(self) -> None:
        files = tracker_networks()
        self._detect = FaceDetector(files["face_detection_short_range"])
        self._mesh = FaceMesh(files["face_landmark_with_attention"])

    def look(self, frame: Image, square: Square) -> tuple[Points, float]:
        """(points, confidence) of the face in a square that is centred on it."""
        answers = [self._mesh(frame, square.nudged(*look)) for look in LOOKS]
        points = np.stack([points for points, _ in answers]).mean(axis=0, dtype=np.float32)
        return np.asarray(points), min(score for _, score in answers)

    def faces(self, frame: Image) -> list[tuple[Points, float]]:
        """(points, confidence) of the faces in the frame, the largest first; the mesh confirms each find."""
        confirmed = []
        for rough in self._detect(frame):
            points, _ = self._mesh(frame, rough)
            points, score = self.look(frame, face_square(points))
            if score >= MIN_CONFIDENCE:
                confirmed.append((points, score))
        return sorted(confirmed, key=lambda face: -face_square(face[0]).side)

    def has_rival(self, frame: Image, points: Points | None) -> bool:
        """Whether the frame shows another face than that of the points (or than the largest), and nearly as large."""
        faces = [face_square(found) for found, _ in self.faces(frame)]
        followed = face_square(points) if points is not None else (faces[0] if faces else None)
        return followed is not None and any(
            face.side >= RIVAL_SIZE * followed.side and face.overlap(followed) < SAME_FACE for face in faces
        )


class FaceFollower:
    """Keeps on one face: where it was is where it is sought first."""

    def __init__(self, networks: FaceNetworks) -> None:
        self._networks = networks
        self._square: Square | None = None  # where the face was last
        self._lost = True

    def follow(self, frame: Image) -> tuple[Points | None, float]:
        """(478 points or None, confidence) of the next frame."""
        if not self._lost and self._square is not None:
            points, score = self._networks.look(frame, self._square)
            if score >= MIN_CONFIDENCE:
                self._square = face_square(points)
                return points, score
        found = self._search(frame)
        self._lost = found is None
        if found is None:
            return None, 0.0
        self._square = face_square(found[0])
        return found

    def _search(self, frame: Image) -> tuple[Points, float] | None:
        """The face where it was lost, else the largest."""
        faces = self._networks.faces(frame)
        if self._square is not None:
            again = [face for face in faces if self._square.overlap(face_square(face[0])) > SAME_FACE]
            faces = again or faces
        return faces[0] if faces else None
