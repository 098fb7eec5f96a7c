"""Where the drawn face meets the filmed one: nobody sees the seam, and beyond it nothing is touched."""

import cv2
import numpy as np
import pytest

from export.engine import FOR_PICTURES, load
from models.background import Background
from models.camera import Crop
from models.composite import Compositor
from models.conditioning import Conditioner
from models.puppet import Puppet

FRAMES = (0, 60, 110, 700)


def around(alpha: np.ndarray, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Places `depth` px inside and 3 px outside the edge of what the blend mask covers, px of the crop."""
    covered = (alpha > 0).astype(np.uint8)
    distance = cv2.distanceTransform(covered, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - covered, cv2.DIST_L2, 5)
    outlines, _ = cv2.findContours(covered, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    edge = max(outlines, key=len)[:, 0]
    slope = np.stack(np.gradient(cv2.GaussianBlur(distance, (0, 0), 3))[::-1], axis=-1)[edge[:, 1], edge[:, 0]]
    inwards = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    return edge + inwards * depth, edge - inwards * 3


def colours(picture: np.ndarray, places: np.ndarray, crop: Crop) -> np.ndarray:
    x, y = ((places / crop.scale) + [crop.x, crop.y]).astype(np.float32).T
    return cv2.remap(picture, x[:, None], y[:, None], cv2.INTER_LINEAR)[:, 0].astype(np.float32)


@pytest.fixture(scope="module")
def painted() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, Crop]]:
    """Filmed and painted frames of the bundled character, the blend mask, and where it lies; the mouth as at rest."""
    puppet = Puppet.bundled()
    track, network = puppet.track, load(puppet.folder / "renderer.onnx", FOR_PICTURES, threads=1)
    background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
    conditioner, compositor = Conditioner(puppet.face, track.camera), Compositor()
    out = []
    for n in FRAMES:
        filmed = background.frame(n).copy()
        crop = Crop(*track.crop[n].tolist())
        inputs = conditioner(filmed, puppet.voice.offset, track.rotation[n], track.translation[n], crop, track.hole[n])
        drawn = network(inputs)
        alpha = np.ascontiguousarray(drawn["alpha"][0, ..., 0])
        picture = filmed.copy()
        compositor.paste(picture, drawn["rgb"][0], alpha, crop)
        out.append((filmed, picture, alpha, crop))
    background.close()
    return out


@pytest.mark.parametrize("depth", [1.0, 3.0, 6.0])
def test_the_step_across_the_edge_is_that_of_the_filmed_frame(painted, depth: float):
    filmed_step, painted_step = [], []
    for filmed, picture, alpha, crop in painted:
        inside, outside = around(alpha, depth)
        for steps, shown in ((filmed_step, filmed), (painted_step, picture)):
            steps.append(np.abs(colours(shown, inside, crop) - colours(shown, outside, crop)).mean())
    # The filmed mouth is not quite at rest, so that the colours need not be the same to a grey level.
    assert np.mean(painted_step) <= 1.1 * np.mean(filmed_step)


def test_beyond_the_mask_nothing_is_touched(painted):
    for filmed, picture, alpha, crop in painted:
        rows, columns = np.mgrid[: filmed.shape[0], : filmed.shape[1]]
        x, y = (columns + 0.5 - crop.x) * crop.scale, (rows + 0.5 - crop.y) * crop.scale
        reach = 2 * int(np.ceil(max(crop.scale, 1))) + 1  # of the cubic kernel
        near = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        covered = cv2.remap(near, x.astype(np.float32), y.astype(np.float32), cv2.INTER_NEAREST, borderValue=0) > 0
        assert (picture != filmed).any()
        np.testing.assert_array_equal(picture[~covered], filmed[~covered])
