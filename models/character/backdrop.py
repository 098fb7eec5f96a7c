"""The stage behind the character: a velvet curtain out of focus, with a few warm lights."""

import cv2
import numpy as np

from models.character.mesh import Floats


def backdrop(size: int, seed: int = 5) -> Floats:
    """Linear colours, float32 [size, size, 3]."""
    v, u = (np.mgrid[:size, :size] + 0.5) / size
    fold = 0.5 + 0.5 * np.sin(2 * np.pi * (5.5 * u + 0.10 * np.sin(2 * np.pi * (0.9 * v + 1.3 * u))))
    fold = fold**1.5 * 0.75 + 0.25 * (0.5 + 0.5 * np.sin(2 * np.pi * (13.0 * u + 0.25 * np.sin(5 * v))))
    glow = np.exp(-(((u - 0.42) / 0.46) ** 2) - ((v - 0.40) / 0.50) ** 2)
    dark, warm = np.array([0.010, 0.018, 0.030]), np.array([0.105, 0.125, 0.150])
    picture = dark + (warm - dark) * (glow * (0.35 + 0.65 * fold))[..., None]
    picture += np.array([0.10, 0.045, 0.012]) * np.exp(-(((v - 1.05) / 0.35) ** 2))[..., None] * 0.8
    picture = cv2.GaussianBlur(picture, (0, 0), size * 0.012)
    random = np.random.default_rng(seed)
    for _ in range(26):
        x, y = random.uniform(0, 1), random.uniform(0.02, 0.78)
        radius = random.uniform(0.012, 0.036)
        colour = np.array([1.0, random.uniform(0.45, 0.8), random.uniform(0.15, 0.4)])
        distance = np.hypot(u - x, v - y) / radius
        disc = np.clip((1.08 - distance) / 0.16, 0, 1) * (0.65 + 0.35 * np.minimum(distance, 1) ** 2)
        picture += colour * (random.uniform(0.02, 0.10) * disc)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), size * 0.002)
    vignette = 1 - 0.45 * ((u - 0.5) ** 2 + (v - 0.5) ** 2) * 2
    return (picture * vignette[..., None]).astype(np.float32)
