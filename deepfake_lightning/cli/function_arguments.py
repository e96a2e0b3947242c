"""A command's function as a parser: its signature is the flags, its docstring the help."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentError, ArgumentParser

from deepfake_lightning.errors import UsageError


def call(function: Callable[..., Any], args: list[str], program: str, example: str) -> int:
    """Call a function with arguments as typed, and return its exit code (None: 0).

    Parameters without a default are positional; ``*names`` takes any number of words.

    Raises:
        UsageError: an unknown flag, with the nearest one, or a value of the wrong type.
    """
    parser = ArgumentParser(
        prog=program,
        description=(inspect.getdoc(function) or "").partition("\n\nArgs:")[0],
        epilog=f"example: {example}",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_function_arguments(function, as_positional=True)
    words = _words(function)
    if words is not None:
        parser.add_argument(words, nargs="*", type=str, default=[], help=_about(function, words))
    try:
        given = dict(vars(parser.instantiate(parser.parse_args(args))))
    except ArgumentError as error:
        raise _usage_error(str(error), parser, program) from error
    several = given.pop(words) if words is not None else []
    return int(function(*several, **given) or 0)


def _words(function: Callable[..., Any]) -> str | None:
    """Return the name of ``*names`` in a signature, None without one."""
    parameters = inspect.signature(function).parameters.values()
    return next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)


def _about(function: Callable[..., Any], name: str) -> str | None:
    """Return what a docstring says of a parameter."""
    known = parse_docstring(function.__doc__ or "").params
    return next((p.description for p in known if p.arg_name == name), None)


def _usage_error(message: str, parser: ArgumentParser, program: str) -> UsageError:
    words = [word.lstrip("-").partition("=")[0] for word in message.split() if word[:2] == "--"]
    known = list(parser.get_defaults(skip_validation=True).keys(branches=True))
    near = difflib.get_close_matches(words[0], known, n=1) if words else []
    return UsageError(
        " ".join(message.split())[:400],
        next_step=f"did you mean --{near[0]}?" if near else f"see `{program} --help`",
    )
