"""What a calibration shows on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from models.errors import InputError
from models.training.adapt_voice import Adaptation
from models.training.verdict import Finding

COLOURS = {"green": "green", "amber": "yellow", "red": "red"}


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Progress bars with the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn()) as progress:
        yield progress


def bar(bars: Progress, title: str) -> Callable[[int, int], None]:
    """A new bar; the function moves it to (done, total)."""
    task = bars.add_task(title, total=None)
    return lambda done, total: bars.update(task, completed=done, total=total)


def accept(bars: Progress, what: str, findings: Sequence[Finding], force: bool) -> None:
    """Print the findings about "The clip" or the like as a table. Raises InputError at red ones unless forced."""
    table = Table(what, "", "", "Advice", box=None, header_style="bold")
    for finding in findings:
        light = f"[{COLOURS[finding.light]}]{finding.light}[/]"
        table.add_row(finding.about, finding.found, light, finding.advice)
    bars.print(table)
    reds = [f"{finding.about} ({finding.found}): {finding.advice}" for finding in findings if finding.red]
    if reds and not force:
        raise InputError("\n".join([f"{what} would give a bad puppet.", *reds, "--force goes on all the same."]))


def tell(bars: Progress, voice: Adaptation, settings: str, took: float, expected: float) -> dict[str, str]:
    """Print, and give for the report, what was done; times in minutes."""
    at = voice.personal[80]
    told = {
        "Settings": settings,
        "Time": f"{took:.1f} min; {expected:.0f} min were expected",
        "Voice": f"mouth opening on parts held out r {at.r:.2f}, amplitude ×{at.amplitude:.2f}",
        "Sound and lips": f"{voice.mouth_late_ms:+d} ms of the mouth against the sound corrected",
    }
    bars.print("\n".join(f"{name}: {value}." for name, value in told.items()))
    return told
