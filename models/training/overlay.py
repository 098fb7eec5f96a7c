"""Look at a fit: the fitted mesh drawn over frames of the clip, on one sheet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from models.camera import project, transform
from models.training.fit_face import FaceFit

COLUMNS, ROWS, TILE = 4, 3, 400  # pictures of TILE px
WIDTH_CM = 24.0  # of what a tile shows
LINE, MOUTH = (90, 220, 120), (255, 120, 80)  # RGB: the mesh, and the layer behind the lips


def overlay_sheet(path: Path, frames: Iterable[tuple[float, UInt8[np.ndarray, "H W 3"]]], fit: FaceFit) -> None:
    """Write a picture of twelve frames, evenly spread, with the mesh over the face and the residual below.

    `frames` are (seconds, picture) of the clip from its beginning, as read_frames gives them.
    """
    chosen = np.linspace(0, len(fit.valid) - 1, COLUMNS * ROWS).round().astype(int)
    tiles = [tile(picture, fit, number) for number, (_, picture) in enumerate(frames) if number in set(chosen.tolist())]
    blank = np.zeros((TILE, TILE, 3), np.uint8)
    tiles += [blank] * (COLUMNS * ROWS - len(tiles))
    sheet = np.concatenate([np.concatenate(tiles[row * COLUMNS : (row + 1) * COLUMNS], 1) for row in range(ROWS)])
    partial = path.with_name(f".partial-{path.name}")
    cv2.imwrite(str(partial), sheet[..., ::-1])
    partial.replace(path)


def tile(picture: UInt8[np.ndarray, "H W 3"], fit: FaceFit, number: int) -> UInt8[np.ndarray, "T T 3"]:
    """The surroundings of the face in one frame, with the front of the mesh drawn as lines."""
    shape = fit.face.shape(None, fit.expression[number])
    view = project(fit.camera, transform(shape, fit.rotation[number], fit.translation[number]))
    zoom = TILE / (WIDTH_CM * fit.camera.focal / -float(fit.translation[number, 2]))
    marks = view[fit.face.landmarks[:, 1], :2]
    corner = (marks.min(0) + marks.max(0)) / 2 - TILE / zoom / 2
    move = np.array([[zoom, 0, -zoom * corner[0]], [0, zoom, -zoom * corner[1]]])
    photo = cv2.warpAffine(picture, move, (TILE, TILE), flags=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    a, b, c = ((view[:, :2] - corner) * zoom)[fit.face.triangles].transpose(1, 0, 2)
    (ab_x, ab_y), (ac_x, ac_y) = (b - a).T, (c - a).T
    facing = ab_x * ac_y < ab_y * ac_x  # counter-clockwise, in a picture whose y points down
    mouth = np.isin(fit.face.triangles, fit.face.regions["inner_mouth"]).all(1)
    lines = photo.copy()
    for colour, ids in ((MOUTH, np.flatnonzero(facing & mouth)), (LINE, np.flatnonzero(facing & ~mouth))):
        corners = (np.stack([a[ids], b[ids], c[ids]], 1) * 16).round().astype(np.int32)
        cv2.polylines(lines, list(corners), True, colour, 1, cv2.LINE_AA, 4)
    sheet = cv2.addWeighted(photo, 0.7, lines, 0.3, 0)
    note = f"{number}  {fit.residual[number]:.2f} px" + ("" if fit.valid[number] else "  lost")
    cv2.putText(sheet, note, (6, TILE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return sheet
