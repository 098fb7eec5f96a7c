"""How the commands begin and end: options as one value; one clear sentence and an exit code, never a traceback."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import wraps
from typing import Any, NoReturn, get_type_hints

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


def spread(options: type[Any], **defaults: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Spread a dataclass over the command line: its fields become options of the command that asks for one.

    Args:
        options: a dataclass whose fields are annotated as typer's options are. The command has one parameter of that
            type.
        defaults: of single fields, where they differ for this command.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(options, include_extras=True)
        signature = inspect.signature(command, eval_str=True)
        place = next(name for name, parameter in signature.parameters.items() if parameter.annotation is options)
        single = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(field.name, field.default),
                annotation=hints[field.name],
            )
            for field in fields(options)
        ]
        own = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values() if p.name != place]

        @wraps(command)
        def spreading(**given: Any) -> None:
            value = options(**{field.name: given.pop(field.name) for field in fields(options)})
            command(**given, **{place: value})

        spreading.__signature__ = signature.replace(parameters=[*own, *single])  # type: ignore[attr-defined]  # functions have it, typeshed does not say so
        spreading.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *single]}
        return spreading

    return decorate


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, px; both even, as video needs it."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read "1280x720"."""
        width, _, height = text.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise typer.BadParameter(f"{text} is no size: expected WIDTHxHEIGHT, such as 1280x720.")
        size = cls(int(width), int(height))
        if size.width % 2 or size.height % 2 or not (16 <= size.width <= 4096 and 16 <= size.height <= 4096):
            raise typer.BadParameter(f"{text} cannot be shown: expected even numbers from 16 to 4096.")
        return size


def one_of(what: str, *offered: str) -> Callable[[str], str]:
    """A parser for an option that takes one of a few words."""

    def parse(text: str) -> str:
        if text not in offered:
            raise typer.BadParameter(f"{text} is no {what}: expected one of {', '.join(offered)}.")
        return text

    return parse


def look_ahead(text: str | int) -> int:
    """Read a look-ahead in ms, one of those that the voice network offers."""
    from models.voice_stream import DIAL

    offered = [str(ms) for ms in DIAL]
    if str(text) not in offered:
        raise typer.BadParameter(f"{text} is no look-ahead on offer: expected one of {', '.join(offered)} ms.")
    return int(text)


def rate(text: str) -> Fraction:
    """Read a frame rate: "25", "29.97", "30000/1001"."""
    try:
        fps = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text} is no frame rate: expected such as 25, 50 or 30000/1001.") from None
    if not 5 <= fps <= 120:
        raise typer.BadParameter(f"{text} is no frame rate for a face: expected 5 to 120 pictures a second.")
    return fps


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: compilers wrap what interrupts them in errors of their own."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
