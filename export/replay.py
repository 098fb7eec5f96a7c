"""A step that ends in pinned memory as one CUDA graph; on the CPU, the step itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
"""Runs before the recording, in which libraries choose their kernels and allocate."""


class Replay:
    """A step that is recorded once and then replayed. To be used from one thread."""

    def __init__(self, step: Callable[[], Tensor], device: torch.device) -> None:
        """Run and record `step`, whose inputs, states and result are tensors that stay where they are."""
        self._step = step
        self.eager()
        self._replay = self._record() if device.type == "cuda" else self.eager

    def __call__(self) -> Tensor:
        """Run the step; what it gives is valid until the next call."""
        self._replay()
        return self._given

    def eager(self) -> None:
        """The step without a graph; on a GPU, nobody waits for it."""
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=True):  # takes the fastest kernels
            self._given = self._step()

    def _record(self) -> Callable[[], None]:
        # What is done beside it gives way.
        stream = torch.cuda.Stream(priority=-1)  # type: ignore[no-untyped-call]  # torch has no types for it
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.eager()
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                self.eager()

        def replay() -> None:
            with torch.cuda.stream(stream):
                graph.replay()
            stream.synchronize()

        return replay
