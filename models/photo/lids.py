"""Lids that shut over the eyes of a photo: the upper lid's edge comes down, its skin is drawn out behind it.

The eye itself does not move; the lid hides it, as lids do. Worked out in the photo, so that any further motion of the
head carries it along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

EYES = (  # the lids' edges, upper and lower, from corner to corner, and the brow's lower edge; tracker points
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133), (53, 52, 65)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263), (295, 282, 283)),
)
ABOVE, OF_BROW = 0.45, 0.6
"""How far above its edge the lid's skin gives: in widths of the eye, and of the way to the brow, at most."""
BELOW = 0.05
"""By how much the tracker sees the lower lid too high, in widths of the eye."""
LASH = 0.8
"""How nearly the lid's edge keeps its thickness: 0 all skin is drawn out alike, 1 the edge not at all."""

Places = Float32[NDArray[np.float32], "*S 2"]


@dataclass(frozen=True)
class Eye:
    """One eye, in axes along and across the line between its corners; lengths in widths of the eye."""

    corner: Float64[NDArray[np.float64], "2"]
    along: Float64[NDArray[np.float64], "2"]
    """From corner to corner, px."""
    place: Float64[NDArray[np.float64], "P"]
    """Along the eye, 0..1, of the edges' points."""
    upper: Float64[NDArray[np.float64], "P"]
    """How far the upper lid's edge is below the line."""
    lower: Float64[NDArray[np.float64], "P"]
    above: float
    """How far above the upper lid's edge its skin gives."""

    @classmethod
    def of(
        cls,
        points: Float32[NDArray[np.float32], "478 3"],
        upper: tuple[int, ...],
        lower: tuple[int, ...],
        brow: tuple[int, ...],
    ) -> Eye:
        """From tracked points and the numbers of those on the lids' edges and the brow."""
        corner = points[upper[0], :2].astype(float)
        along = points[upper[-1], :2] - corner
        size = along @ along
        down = np.array([-along[1], along[0]])
        above, below, hair = (points[list(edge), :2] - corner for edge in (upper, lower, brow))
        place = np.maximum.accumulate(above @ along / size)
        edge = above @ down / size
        floor = np.interp(place, below @ along / size, below @ down / size)
        floor[1:-1] += BELOW
        room = float(edge.mean() - (hair @ down / size).max())
        return cls(corner, along, place, edge, floor, min(ABOVE, max(OF_BROW * room, 0.1)))

    def seen(self, places: Places, shut: float) -> Places:
        """Where the photo shows what is to be seen at `places` of it (px indices) with the lids shut by 0..1."""
        size, down = self.along @ self.along, np.array([-self.along[1], self.along[0]])
        from_corner = places - self.corner
        a, b = from_corner @ self.along / size, from_corner @ down / size
        edge, floor = (np.interp(a, self.place, line) for line in (self.upper, self.lower))
        now = edge + shut * np.maximum(floor - edge, 0)
        top = edge - self.above
        share = np.clip((b - top) / (now - top), 0, 1)
        bent = np.clip((now - edge) / self.above, 0, LASH)
        drawn = top + (edge - top) * ((1 - bent) * share + bent * share**2)
        moved = np.where((b > top) & (b < now) & (a > 0) & (a < 1), drawn - b, 0)
        return np.asarray(places + moved[..., None] * down, np.float32)


class Lids:
    """Both eyes of a photo."""

    def __init__(self, points: Float32[NDArray[np.float32], "478 3"]) -> None:
        """`points`: as tracked, px of the photo."""
        self._eyes = [Eye.of(points, *edges) for edges in EYES]

    def seen(self, places: Float32[NDArray[np.float32], "H W 2"], shut: float) -> None:
        """Change `places`, in place: see `Eye.seen`. Only around the eyes is anything looked at."""
        if shut <= 0:
            return
        for eye in self._eyes:
            width = float(np.hypot(*eye.along))
            near = np.abs(places - (eye.corner + eye.along / 2)).max(axis=2) < width
            rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
            if len(rows):
                part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
                places[part] = eye.seen(places[part], shut)
