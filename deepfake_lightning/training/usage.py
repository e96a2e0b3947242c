"""What the training verbs say of their use: help, unknown keys, settings that cannot work."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from deepfake_lightning.errors import UsageError

_UNKNOWN = re.compile(
    r"[Uu]nrecognized arguments?: --([\w.]+)|Key '([\w.]+)' is not|option '([\w.]+)'"
)


def unknown_key(message: str, known: Sequence[str]) -> UsageError:
    """Return a parser's message in a line or two, with the nearest key.

    Args:
        message: what jsonargparse says.
        known: all keys.
    """
    text = re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", message)).strip()
    found = _UNKNOWN.search(text)
    hint = "see the keys with --help, or all of them with --print_config"
    if found is None:
        return UsageError(text[:400], next_step=hint)
    name = next(filter(None, found.groups()))
    longer = [key for key in known if key.startswith(name)]
    near = longer or difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return UsageError(f"unknown key {name}", next_step=f"did you mean {near[0]}?" if near else hint)


def check_names(settings: Any) -> None:
    """Refuse names that lead out of the workspace, or let one checkpoint overwrite another.

    Raises:
        UsageError: names the key.
    """
    for key in ("experiment", "version"):
        if settings[key] is not None and not re.fullmatch(r"[\w+-][\w.+-]*", settings[key]):
            raise UsageError(
                f"{key} is {settings[key]!r}, and names a folder",
                next_step="use letters, digits, '.', '_', '+' and '-'",
            )
    checkpoint = settings["checkpoint"]
    if checkpoint["save_top_k"] not in (0, 1) and "{" not in str(checkpoint["filename"]):
        raise UsageError(
            f"checkpoint.save_top_k is {checkpoint['save_top_k']}, and checkpoint.filename "
            f"{checkpoint['filename']!r} is the same for all of them",
            why="each would overwrite the one before, the best included",
            next_step="set --checkpoint.filename 'best-{epoch:02d}'",
        )


def verb_help(verb: str) -> dict[str, Any]:
    """Return usage, description and example of a verb; the keys follow below them."""
    description, example = {
        "fit": (
            "Train a detector.",
            "--config configs/lite0.yaml --data.root faces --trainer.max_epochs 5",
        ),
        "validate": ("Score a checkpoint on its run's val split.", "--ckpt_path best"),
        "test": ("Score a checkpoint on its run's test split.", "--ckpt_path best"),
    }[verb]
    program = f"deepfake-lightning {verb}"
    return {
        "usage": f"{program} [--config FILE ...] [--KEY VALUE ...]",
        "description": f"{description} Example: {program} {example}",
    }
