"""How the commands end: one clear sentence and an exit code, never a traceback for what the user can fix."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import typer

INTERRUPTED = 130
UsageError: Any = typer.BadParameter.__base__  # click's, wherever this typer keeps its click


def run(app: typer.Typer, user_errors: tuple[type[Exception], ...], stopped: str) -> NoReturn:
    """Run a command and exit.

    Exit codes: 0 done; 1 a fault of ours, with its traceback; 2 what the user can fix (`user_errors`, wrong options);
    130 stopped by Ctrl-C, with the sentence `stopped`.
    """
    try:
        code = typer.main.get_command(app).main(standalone_mode=False) or 0
    except UsageError as error:
        error.show()
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except user_errors as error:
        print(error, file=sys.stderr)
        code = 2
    except Exception as error:
        if not _was_interrupted(error):
            raise
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer may have turned Ctrl-C into it
        print(stopped, file=sys.stderr)
    sys.exit(code)


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: compilers wrap what interrupts them in errors of their own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
