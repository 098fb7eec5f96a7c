"""How the commands end: one clear sentence and an exit code, never a traceback for what the user can fix."""

from __future__ import annotations

import sys
from typing import NoReturn

import click
import typer


def run(app: typer.Typer, user_errors: tuple[type[Exception], ...], stopped: str) -> NoReturn:
    """Run a command and exit.

    Exit codes: 0 done; 1 a fault of ours, with its traceback; 2 what the user can fix (`user_errors`, wrong options);
    130 stopped by Ctrl-C, with the sentence `stopped`.
    """
    try:
        code = typer.main.get_command(app).main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = _say(stopped, 130)
    except user_errors as error:
        code = _say(str(error), 2)
    sys.exit(code)


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code
