"""The portrait is the background, with a drawn lower face in it."""

import numpy as np

from models.background import Background
from models.portrait import PaintedPortrait
from models.puppet import Puppet


class Invisible:
    """A renderer that leaves the frame as it is."""

    def __call__(self, feed):
        return {"rgb": np.zeros((1, 256, 256, 3), np.uint8), "alpha": np.zeros((1, 256, 256, 1), np.uint8)}

    def initial_state(self):
        return {}


def test_outside_the_mask_the_background_plays():
    puppet = Puppet.bundled()
    portrait = PaintedPortrait(puppet, Invisible())
    background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
    expression = np.zeros(len(puppet.face.expression), np.float32)
    for number in range(3):
        picture = portrait(expression, number)
        np.testing.assert_array_equal(picture, background.frame(number))
        assert not np.shares_memory(picture, background.frame(number))
