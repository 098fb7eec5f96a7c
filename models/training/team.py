"""Several processes that train one network together, one for each GPU: each learns from batches of its own, and what
they learn is averaged.

torchrun's environment (RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT) says who belongs together; without it a
process is a team of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True, slots=True)
class Team:
    """A process's place among those that train together."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a device is a value)
    words: distributed.ProcessGroup | None = None
    """For numbers in ordinary memory."""

    @classmethod
    def joined(cls, device: torch.device) -> Team:
        """Join those that torchrun started; call it once. `device`: its kind; each process takes a GPU of its own."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls(device=device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(distributed.get_rank(), size, device, distributed.new_group(backend="gloo"))

    @property
    def leads(self) -> bool:
        """Whether this process writes files and tells how it goes."""
        return self.rank == 0

    def average(self, module: nn.Module) -> None:
        """Replace each process's gradients by their mean. All processes must have gradients of the same weights."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        means = torch.split(flat / self.size, [gradient.numel() for gradient in gradients])
        for own, mean in zip(gradients, means, strict=True):
            own.copy_(mean.view(own.shape))

    def agreed(self, value: float) -> float:
        """The leading process's value. All processes wait for it here."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(told, 0, group=self.words)
        return float(told)
