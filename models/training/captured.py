"""A training step as one CUDA graph.

A step of the renderer is some two thousand small kernels: launched one by one from Python they leave a large GPU idle
for five sixths of the time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from models.training.data import Batch

WARM_UP = 3
"""Steps taken one by one before capture, on the first batch; the libraries choose their kernels meanwhile."""


class Captured:
    """Runs `step(batch, flag)`, captured once for each flag. Batches must keep their shapes.

    The step may read and write only tensors that stay in place between calls, and must not wait for the GPU.
    """

    def __init__(self, step: Callable[[Batch, bool], None]) -> None:
        self._step = step
        self._graphs: dict[bool, torch.cuda.CUDAGraph] = {}
        self._batch: Batch | None = None

    def __call__(self, batch: Batch, flag: bool) -> None:
        """Take one step."""
        if self._batch is None:
            self._batch = batch.clone()
        for kept, new in zip(self._batch.tensors(), batch.tensors(), strict=True):
            kept.copy_(new)
        if flag not in self._graphs:
            self._graphs[flag] = self._capture(self._batch, flag)
        self._graphs[flag].replay()

    def _capture(self, batch: Batch, flag: bool) -> torch.cuda.CUDAGraph:
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._step(batch, flag)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # NCCL's watchdog asks for events
            self._step(batch, flag)
        return graph
