"""The puppet's picture at an expression, in front of frame n of its own video: the seam between voice and drawing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray

from models.background import Background, bounce
from models.camera import Crop
from models.network import Network
from models.painter import Painter
from models.puppet import Puppet


@runtime_checkable  # for the checks of annotations in tests
class Portrait(Protocol):
    """Draws one puppet. To be called from one thread at a time."""

    def __call__(
        self, expression: Float32[NDArray[np.float32], " K"], number: int
    ) -> UInt8[NDArray[np.uint8], "H W 3"]:
        """The picture with the face at `expression`, in the puppet's own coefficients; it is the caller's to keep.

        `number` is that of the background's frame, played forward and back; cheapest in order.
        """
        ...


class PaintedPortrait:
    """Drawn by the processor, with the renderer in any engine."""

    def __init__(self, puppet: Puppet, renderer: Network) -> None:
        self._track = puppet.track
        self._background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
        self._painter = Painter(puppet.face, puppet.track.camera, renderer)

    def __call__(
        self, expression: Float32[NDArray[np.float32], " K"], number: int
    ) -> UInt8[NDArray[np.uint8], "H W 3"]:
        """See `Portrait`."""
        track = self._track
        at = bounce(number, len(track.rotation))
        picture = self._background.frame(number).copy()
        crop = Crop(*track.crop[at].tolist())
        self._painter.paint(picture, expression, track.rotation[at], track.translation[at], crop, track.hole[at])
        return picture
