"""The film camera: a posed mesh becomes a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.rasterizer import Rasterizer
from models.character import light
from models.character.backdrop import backdrop
from models.character.body import Body
from models.character.controls import Controls
from models.character.mesh import Floats, vertex_normals
from models.character.rig import Rig

EYE = np.array([0.0, -1.7, 68.0])  # cm, looking along -z
FIELD = 39.0  # cm of the plane through the eyes, seen by the picture's height
OVERSAMPLE = 2  # each picture is drawn this much larger, then averaged down


class Camera:
    """Films one body at `size` x `size` px. Not to be shared between threads."""

    def __init__(self, body: Body, size: int = 512) -> None:
        self.size, self._fine = size, size * OVERSAMPLE
        self._body, self._rig = body, Rig(body)
        self._focal = EYE[2] / FIELD * self._fine
        self._view = Rasterizer(self._fine, self._fine, body.triangles)
        self._from_light = Rasterizer(light.SHADOW_SIZE, light.SHADOW_SIZE, body.triangles)
        self._to_light = _light_matrix()
        self._layers = np.empty((self._fine, self._fine, 9), np.float32)
        self._depths = np.empty((light.SHADOW_SIZE, light.SHADOW_SIZE, 1), np.float32)
        self._backdrop = backdrop(self._fine)
        rows, columns = np.mgrid[:size, :size]
        # An ordered dither keeps the smooth background free of bands and still from frame to frame.
        self._dither = ((52.9829189 * ((0.06711056 * columns + 0.00583715 * rows) % 1.0)) % 1.0 - 0.5)[..., None]

    def film(self, controls: Controls) -> NDArray[np.uint8]:
        """One picture, uint8 [size, size, 3] RGB."""
        vertices = self._rig.pose(controls)
        normals = vertex_normals(vertices, self._body.triangles)
        self._draw_shadow(vertices)
        part = self._draw_layers(vertices, normals)
        position = np.ascontiguousarray(self._layers[..., 6:])  # dense: the occlusion jumps about in it
        openness = light.occlusion(position, self._layers, part, self._fine / FIELD)
        shape = (self._fine, self._fine, 3)
        diffuse, albedo, glints = (np.empty(shape, np.float32) for _ in range(3))
        skin = np.empty(shape[:2], np.float32)
        light.shade(self._layers, part, openness, self._depths, self._to_light, EYE, diffuse, albedo, glints, skin)
        _scatter(diffuse, skin, self._fine / FIELD)
        picture = np.where(part[..., None] < 0, self._backdrop, albedo * diffuse + glints)
        return self._develop(picture)

    def parts(self, vertices: Floats) -> NDArray[np.int32]:
        """Which `Part` each fine pixel of a posed mesh shows, -1 for the background."""
        return self._draw_layers(vertices, np.zeros_like(vertices))

    def _draw_shadow(self, vertices: Floats) -> None:
        m = self._to_light
        seen = (vertices @ m[:, :3].T + m[:, 3]).astype(np.float32)
        self._from_light.draw(seen, np.ascontiguousarray(seen[:, 2:]), self._depths, background=1e9)

    def _draw_layers(self, vertices: Floats, normals: Floats) -> NDArray[np.int32]:
        depth = EYE[2] - vertices[:, 2]
        half = self._fine / 2
        seen = np.stack(
            [
                half + self._focal * (vertices[:, 0] - EYE[0]) / depth,
                half - self._focal * (vertices[:, 1] - EYE[1]) / depth,
                depth,
            ],
            -1,
        ).astype(np.float32)
        attributes = np.concatenate([self._body.rest, normals, vertices], axis=1)
        self._view.draw(seen, np.ascontiguousarray(attributes), self._layers)
        ids = self._view.ids
        return np.where(ids < 0, np.int32(-1), self._body.part[np.maximum(ids, 0)])

    def _develop(self, picture: Floats) -> NDArray[np.uint8]:
        """Linear light -> display picture: a filmic curve, averaging, sRGB, dither."""
        x = np.maximum(picture, 0) * np.float32(0.86)
        filmic = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)  # Narkowicz's fit of the ACES curve
        filmic = np.clip(filmic, 0, 1).astype(np.float32)
        x = np.asarray(cv2.resize(filmic, (self.size, self.size), interpolation=cv2.INTER_AREA))
        srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-6) ** (1 / 2.4) - 0.055)
        return np.clip(np.rint(255 * srgb + self._dither), 0, 255).astype(np.uint8)


def _scatter(diffuse: Floats, skin: Floats, scale: float) -> None:
    """Light that enters skin leaves nearby: blur it within the skin, red widest (cm: 0.30, 0.13, 0.07)."""
    half = cv2.resize(skin, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for channel, (radius, share) in enumerate(((0.30, 0.75), (0.13, 0.55), (0.07, 0.5))):
        plane = cv2.resize(diffuse[..., channel] * skin, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        sigma = radius * scale / 2
        blurred = cv2.GaussianBlur(plane, (0, 0), sigma) / (cv2.GaussianBlur(half, (0, 0), sigma) + 1e-4)
        blurred = cv2.resize(blurred, skin.shape[::-1], interpolation=cv2.INTER_LINEAR)
        weight = share * skin
        diffuse[..., channel] += weight * (blurred - diffuse[..., channel])


def _light_matrix() -> NDArray[np.float64]:
    """World -> shadow map px and depth, [3, 4]: parallel light along -KEY."""
    towards = np.array(light.KEY) / np.linalg.norm(light.KEY)
    right = np.cross([0.0, 1.0, 0.0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    centre = np.array([0.0, -2.5, 0.0])
    m = np.stack([right / light.SHADOW_STEP, -up / light.SHADOW_STEP, -towards])
    offset = np.array([light.SHADOW_SIZE / 2, light.SHADOW_SIZE / 2, 1000.0]) - m @ centre
    return np.concatenate([m, offset[:, None]], axis=1)
