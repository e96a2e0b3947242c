"""A sweep's result on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable
from deepfake_lightning.tuning.files import OVERLAY, PAGE
from deepfake_lightning.tuning.record import SweepResult
from deepfake_lightning.tuning.words import OPTIMISTIC, against_default, counted, importance, rows

_SHOWN = 10
_KEYS_SHOWN = 5


def print_sweep(console: Console, result: SweepResult) -> None:
    """Print the best trials, what they are worth, and what to do next."""
    if result.ranked:
        console.print(_table(result))
    text = "\n".join(printable(line) for line in _lines(result))
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _table(result: SweepResult) -> Table:
    keys = sorted(result.ranked[0].values, key=lambda key: -result.importance.get(key, 0.0))
    keys = keys[:_KEYS_SHOWN]
    table = Table(box=None, pad_edge=False)
    for head in ("trial", result.objective.removeprefix("val/"), "time"):
        table.add_column(head, justify="right", no_wrap=True)
    for key in keys:
        table.add_column(Text(printable(key.rpartition(".")[2])), justify="right", overflow="fold")
    table.add_column("")
    for one, row in zip(result.ranked, rows(result.ranked[:_SHOWN], keys), strict=False):
        cells = [row[0], *row[2:], "the base" if one.is_default else ""]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _lines(result: SweepResult) -> list[str]:
    lines = [f"{result.status}: {counted(result)}, in {result.seconds:.0f} s"]
    failed = [one for one in result.trials if one.state == "failed"]
    lines += [f"  trial {one.number} failed: {one.reason}" for one in failed[:3]]
    if len(failed) > 3:
        lines.append(f"  and {len(failed) - 3} more, in {near(result.folder / PAGE)}")
    if result.replaced:
        lines.append(f"{result.replaced} worker(s) died and were replaced")
    lines.append(against_default(result))
    if result.best is not None:
        lines += [OPTIMISTIC, importance(result)]
    lines.append(f"page and pictures: {near(result.folder / PAGE)}")
    lines.append(f"curves: tensorboard --logdir {near(result.runs)}")
    lines.append(f"live: optuna-dashboard {_storage(result)}")
    if result.status != "finished":
        lines.append("the same command goes on where this one ended")
    elif result.registered:
        lines += _registered(result.registered)
    elif result.best is not None:
        overlay = near(result.folder / OVERLAY)
        lines.append(f"next: deepfake-lightning fit --config {result.base} --config {overlay}")
    return lines


def _storage(result: SweepResult) -> str:
    return result.storage if "://" in result.storage else near(Path(result.storage))


def _registered(held: Mapping[str, Any]) -> list[str]:
    """Return what became of the best values, once they were trained anew."""
    trained = f"trained anew in {near(Path(held['run']))}"
    if held["version"] is None:
        why = held["not_registered"] or f"the training was {held['status']}"
        return [f"{trained}, and not registered: {why}"]
    return [
        f"{trained}, and registered as {held['version']}",
        f"next: deepfake-lightning evaluate {held['version']}",
    ]
