"""What ``fit`` would train with, without building anything."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonargparse import ArgumentError

from deepfake_lightning.training.arguments import complete
from deepfake_lightning.training.lightning_cli import TrainingCLI
from deepfake_lightning.training.usage import unknown_key


class _ParserOnly(TrainingCLI):
    """Has the parser, and builds and runs nothing."""

    def _set_seed(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        pass

    def _run_subcommand(self, subcommand: str) -> None:
        pass


@cache
def _cli() -> _ParserOnly:
    return _ParserOnly(["fit"])  # the parser takes a second to be made


def fit_settings(args: list[str]) -> dict[str, Any]:
    """Return every key of ``fit`` with its value, nested, as configurations and flags set it.

    Args:
        args: flags of ``fit``, without the verb.

    Raises:
        UsageError: an unknown key, with the nearest one, or a value of the wrong type.
    """
    cli = _cli()
    try:
        settings: dict[str, Any] = cli.parser.parse_args(complete(["fit", *args]))["fit"].as_dict()
    except ArgumentError as error:
        raise unknown_key(str(error), cli._known_keys()) from error
    return settings
