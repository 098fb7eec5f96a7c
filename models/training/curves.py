"""The course of a training, kept so that it survives an interruption."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from models.errors import InputError
from models.training.train_renderer import Progress

COLUMNS = ("step", "share", "loss")


class Curves:
    """A file with a line for each report, which a later run goes on writing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Curves:
        self._file = self._path.open("a", newline="")
        self._lines = csv.writer(self._file)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, at: Progress) -> None:
        """Write down where training stands."""
        self._lines.writerow([at.step, f"{at.share:.5f}", f"{at.loss:.6f}"])


def read_curves(path: Path) -> Float64[NDArray[np.float64], "reports 3"]:
    """COLUMNS of every report; what a killed run reported after its last checkpoint was taken back by the next one."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2) if path.is_file() and path.stat().st_size else np.zeros((0, 3))
    later = np.minimum.accumulate(np.append(rows[1:, 0], np.inf)[::-1])[::-1]
    return rows[rows[:, 0] < later[: len(rows)]]


def tensorboard(folder: Path) -> Callable[[Progress], None]:
    """A function that logs to a folder for TensorBoard. Raises InputError when that is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("--tensorboard needs TensorBoard: pip install tensorboard.") from error
    writer = SummaryWriter(str(folder))

    def log(at: Progress) -> None:
        writer.add_scalar("loss", at.loss, at.step)
        writer.add_scalar("share of the time", at.share, at.step)

    return log
