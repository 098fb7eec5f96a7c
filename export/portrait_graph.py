"""The puppet's picture drawn by a GPU: from an expression to a pinned picture as one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from torch import Tensor

from export.drawing import Drawing
from export.engine import Device, EngineError, Precision
from export.footage import BYTES, Footage
from export.parity import PICTURE_PSNR, psnr
from export.replay import Replay
from models.background import Background
from models.portrait import Portrait
from models.puppet import Puppet

LEAST_PSNR = PICTURE_PSNR["fp16"]


class PortraitGraph:
    """A `models.portrait.Portrait`. To be called from one thread."""

    def __init__(
        self, puppet: Puppet, precision: Precision = "fp16", device: Device = "cuda", capacity: int = BYTES
    ) -> None:
        """Record the graph.

        Args:
            puppet: who is shown.
            precision: of the renderer.
            device: "cuda"; "cpu" runs the steps without a graph.
            capacity: bytes of the device that the background may take.

        Raises:
            EngineError: the device is not there.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError("torch sees no CUDA device on this machine.")
        there = torch.device(device)
        self._footage = Footage(puppet, there, capacity)
        # Unfused: Inductor would take 25 s here, for 0.23 ms a picture instead of 0.38 (H200).
        self._drawing = Drawing(puppet, self._footage.tensors, self._footage.box, 1, precision)
        coefficients = len(puppet.face.expression)
        self._given = torch.zeros(coefficients + 1, pin_memory=device == "cuda")
        """An expression, and the number of the background's slot (exact up to 2²⁴)."""
        self._input = torch.zeros(coefficients + 1, device=there)
        self._replay = Replay(self._frame, there)
        self._footage.start()

    def __call__(
        self, expression: Float32[NDArray[np.float32], " K"], number: int
    ) -> UInt8[NDArray[np.uint8], "H W 3"]:
        """See `Portrait`."""
        given = self._given.numpy()
        given[:-1] = expression
        given[-1] = self._footage.slot(number)
        return self._replay()[0].numpy().copy()

    def close(self) -> None:
        """Stop decoding the background."""
        self._footage.close()

    def _frame(self) -> Tensor:
        self._input.copy_(self._given, non_blocking=True)
        at = self._input[-1:].long()
        self._drawing.begin(at)
        return self._drawing.end(self._input[None, :-1], at)


def check(puppet: Puppet, drawn: Portrait, right: Portrait, expressions: Sequence[NDArray[np.float32]]) -> None:
    """Hold pictures of `drawn` against those of `right`, where a face is drawn, as engines are (`export.parity`).

    Raises:
        EngineError: they are not the same.
    """
    with closing(Background(puppet.folder / "background.mp4", puppet.manifest.frames)) as background:
        for number, expression in enumerate(expressions):
            expected, found = right(expression, number), drawn(expression, number)
            face = (expected != background.frame(number)).any(axis=2)
            worst = psnr(np.square(expected[face].astype(np.float32) - found[face]))
            if not worst >= LEAST_PSNR:
                raise EngineError(
                    f"Picture {number} of the GPU is {worst:.1f} dB from that of the processor, at least "
                    f"{LEAST_PSNR:.0f} dB wanted."
                )
