"""What one photo is good for: never more than amber, and red where a puppet would be bad."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from models.photo.fit import PhotoFit
from models.training.clip_pictures import fine_share, lower_face
from models.training.mouth_shapes import mouth_of
from models.training.verdict import Finding, Light, detail_finding, graded, head_finding, mouth_finding

MOST_PARTED_CM = 0.35
"""Of the lips in a photo whose lips can still be said to be closed."""


def examine_photo(picture: UInt8[NDArray[np.uint8], "H W 3"], fit: PhotoFit) -> tuple[Finding, ...]:
    """Findings, the first of which says what a photo cannot give."""
    return (
        Finding(
            "Source",
            "one photo",
            Light.amber,
            "Teeth and the inside of the mouth are nobody's, and the face moves as an average one does: "
            "a minute of video makes a better puppet.",
        ),
        mouth_finding(mouth_of(fit.track)),
        _lips(fit),
        head_finding(fit.track),
        _others(fit),
        _detail(picture, fit),
    )


def _lips(fit: PhotoFit) -> Finding:
    moved = np.tensordot(fit.seen, fit.face.expression, 1)
    vertex = dict(fit.face.landmarks.tolist())
    parted = float(moved[vertex[13], 1] - moved[vertex[14], 1])
    advice = "Take a photo with the lips closed: the corners of the mouth and the teeth seen in it will look drawn."
    return graded("Lips", f"{max(0.0, 10 * parted):.0f} mm apart", parted > MOST_PARTED_CM, False, advice)


def _others(fit: PhotoFit) -> Finding:
    shown = "another as large" if fit.track.rivals else "none"
    return graded("Other people", shown, False, fit.track.rivals > 0, "Crop the photo to one person.")


def _detail(picture: UInt8[NDArray[np.uint8], "H W 3"], fit: PhotoFit) -> Finding:
    face = lower_face(picture, fit.track.points[0, :, :2])
    return detail_finding(fine_share(face) if face is not None else 0.0)
