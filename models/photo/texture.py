"""What the mesh of a photo is painted with: the photo's skin, and teeth and a cavity in its light.

A texture has one texel for each value that the place in the face picture can have (`models.conditioning`): right and
up on the neutral face as seen from the front.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32, Int32, UInt8
from numpy.typing import NDArray

from kernels.rasterizer import Rasterizer
from models.camera import Camera, project
from models.face_model import FaceModel, Vertices
from models.photo.mesh import COLUMNS, HALF_ARCH_CM, ROWS

TEXELS = 256
FAR_CM = 1000.0
"""From where the neutral face is seen: so far that nothing is foreshortened."""
TOOTH_WIDTHS_CM = (0.85, 0.65, 0.75, 0.7, 0.7)
"""From the middle to the side, upper row; the lower one is a third narrower in front."""
LOWER = 0.72
TOOTH_COLOUR, GUM_COLOUR = (1.10, 1.04, 1.01), (0.72, 0.38, 0.36)
"""Against the skin's brightness."""
CAVITY_COLOUR, TONGUE_COLOUR = (0.34, 0.17, 0.16), (0.74, 0.42, 0.40)

Texture = Float32[NDArray[np.float32], "256 256 3"]
"""0..255; rows go up."""


def skin_texture(
    picture: UInt8[NDArray[np.uint8], "H W 3"],
    mesh: FaceModel,
    seen: Float32[NDArray[np.float32], "K"],
    translation: Float32[NDArray[np.float32], "3"],
    camera: Camera,
) -> Texture:
    """The photo, unwrapped. `translation` says where its face lies in it, `seen` is its expression."""
    there = project(camera, mesh.shape(None, seen) + translation)
    inside = np.isin(mesh.triangles, mesh.regions["inner_mouth"]).any(axis=1)
    drawn = unwrapped(mesh.mean, mesh.triangles[~inside], there[:, :2])
    known = drawn[..., 0] > -1e6
    texels_per_px = TEXELS / np.ptp(there[:, 0])
    soft = cv2.GaussianBlur(picture, (0, 0), max(0.01, 0.4 * np.sqrt(max(0.0, texels_per_px**-2 - 1))))
    place = drawn - 0.5  # OpenCV counts pixel indices
    texture = cv2.remap(soft, place[..., 0], place[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return continued(texture.astype(np.float32), known)


def unwrapped(
    mean: Vertices, triangles: Int32[NDArray[np.int32], "F 3"], attributes: Float32[NDArray[np.float32], "V C"]
) -> Float32[NDArray[np.float32], "256 256 C"]:
    """Attributes drawn where each texel lies on the neutral face; far below -1e6 where nothing does."""
    low, high = mean.min(axis=0), mean.max(axis=0)
    place = (mean[:, :2] - low[:2]) / (high - low)[:2] * (TEXELS - 1) + 0.5
    view = np.column_stack([place[:, 0], TEXELS - place[:, 1], FAR_CM - mean[:, 2]]).astype(np.float32)
    out = np.empty((TEXELS, TEXELS, attributes.shape[1]), np.float32)
    Rasterizer(TEXELS, TEXELS, np.ascontiguousarray(triangles)).draw(
        view, np.ascontiguousarray(attributes, dtype=np.float32), out, background=-1e9
    )
    return np.ascontiguousarray(out[::-1])


def continued(texture: Texture, known: NDArray[np.bool_]) -> Texture:
    """Unknown texels get the colour of the nearest known one."""
    _, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colour = np.zeros((label.max() + 1, 3), np.float32)
    colour[label[known]] = texture[known]
    return colour[label]


def teeth_texture(mesh: FaceModel, skin: Texture) -> Texture:
    """Two rows of teeth, lit as the skin is, with gums at their roots."""
    lower = np.repeat(np.array([0, 1], np.float32), ROWS * COLUMNS)
    place = strip_places(mesh, "teeth", lower)
    across = np.abs(place[..., 0]) / np.where(place[..., 2] > 0.5, LOWER, 1)
    along = HALF_ARCH_CM * np.arcsin(np.clip(across / HALF_ARCH_CM, 0, 1))  # around the arch, seen from the front
    root = np.where(place[..., 2] > 0.5, place[..., 1], 1 - place[..., 1])  # 0 at the edge, 1 at the gums
    ends = np.cumsum(TOOTH_WIDTHS_CM)
    which = np.minimum(np.searchsorted(ends, along), len(ends) - 1)
    width = np.array(TOOTH_WIDTHS_CM)[which]
    off = np.abs(along - (ends[which] - width / 2)) / (width / 2)  # 0 in a tooth's middle, 1 between two
    gap = np.clip((off - 0.8) / 0.2, 0, 1) ** 2 * (0.36 - 0.24 * root)
    rounded = 0.35 * np.clip(1 - root / (0.04 + 0.12 * off**4), 0, 1)
    light = (1 - gap) * (1 - rounded) * (1 - 0.5 * np.clip(across / HALF_ARCH_CM, 0, 1) ** 2)
    gum = np.clip((root - 0.82 + 0.1 * off**2) / 0.06, 0, 1)[..., None]
    colour = (1 - gum) * TOOTH_COLOUR * light[..., None] + gum * GUM_COLOUR
    return np.asarray(np.clip(colour * brightness(skin), 0, 255), np.float32)


def cavity_texture(mesh: FaceModel, skin: Texture) -> Texture:
    """Dark above, the tongue below."""
    down = strip_places(mesh, "cavity", np.zeros(ROWS * COLUMNS, np.float32))[..., 1:2]
    tongue = np.clip((down - 0.35) / 0.3, 0, 1)
    colour = (1 - tongue) * CAVITY_COLOUR + tongue * TONGUE_COLOUR
    return np.asarray(colour * brightness(skin), np.float32)


def strip_places(
    mesh: FaceModel, region: str, row: Float32[NDArray[np.float32], " R"]
) -> Float32[NDArray[np.float32], "256 256 3"]:
    """What each texel shows of the grids in a region: place across in cm of the arch, down 0..1, and `row`."""
    ids = mesh.regions[region]
    x, down = np.meshgrid(np.linspace(-HALF_ARCH_CM, HALF_ARCH_CM, COLUMNS), np.linspace(0, 1, ROWS))
    attributes = np.zeros((len(mesh.mean), 3), np.float32)
    attributes[ids] = np.column_stack([np.tile([x.ravel(), down.ravel()], len(ids) // x.size).T, row])
    drawn = unwrapped(mesh.mean, mesh.triangles[np.isin(mesh.triangles, ids).all(axis=1)], attributes)
    return continued(drawn, drawn[..., 0] > -1e6)


def brightness(skin: Texture) -> float:
    """Of well-lit skin around the mouth, 0..255."""
    part = skin[TEXELS // 4 : 3 * TEXELS // 4, TEXELS // 4 : 3 * TEXELS // 4]
    return float(np.quantile(part.mean(axis=2), 0.7))
