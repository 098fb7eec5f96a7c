"""Train the renderer on several GPUs, each of which takes batches of its own.

torchrun --nproc-per-node 2 -m models.training.train_together work/clip work trained.safetensors --minutes 5

The first argument is the training folder that calibrate.py prepared (`prepared` in its working folder). Put the result
into that working folder as trained.safetensors, and calibrate.py goes on from it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

from torch import distributed

from models.renderer import KINDS
from models.training.train_renderer import Plan, Progress, train


def main() -> None:
    """Parse, train, write the weights and say how far it came."""
    parser = argparse.ArgumentParser(description="Train the renderer; with torchrun, on several GPUs together.")
    parser.add_argument("data", type=Path, help="training folder")
    parser.add_argument("work", type=Path, help="folder for the checkpoint")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--renderer", choices=KINDS, default="standard")
    parser.add_argument("--held-out", type=float, default=0.2, help="share of the clip, at its end, to leave alone")
    given = parser.parse_args()
    told: list[Progress] = []
    began = perf_counter()
    plan = Plan(given.minutes, given.renderer, held_out=given.held_out)
    trained = train(given.data, given.work, plan, report=told.append)
    together = distributed.is_initialized()
    if not together or distributed.get_rank() == 0:
        trained.save(given.out)
        size = distributed.get_world_size() if together else 1
        steps = told[-1].step if told else 0
        print(f"{size} x {steps} steps in {perf_counter() - began:.0f} s, loss {told[-1].loss if told else 1:.4f}")
    if together:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
