"""What ``compare`` prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable
from deepfake_lightning.evaluation.comparison.items import REASONS
from deepfake_lightning.evaluation.comparison.record import Comparison
from deepfake_lightning.evaluation.comparison.tables import matching
from deepfake_lightning.evaluation.comparison.words import basis, difference
from deepfake_lightning.evaluation.words import number

_COLUMNS_AT_MOST = 4  # detectors in one table of 80 columns, the first among them
_DISAGREEMENTS = 3


def print_comparison(console: Console, found: Comparison, folder: Path) -> None:
    """Print verdicts first, then values, what they rest on, and where the page is."""
    _say(console, [found.says(pair) for pair in found.with_baseline])
    console.print(_table(found))
    lines = []
    if (more := len(found.detectors) - _COLUMNS_AT_MOST) > 0:
        lines.append(f"{more} more detectors are on the page")
    lines += [f"note: {note}" for note in found.notes]
    lines.append(f"compared: {basis(found.counts)}. {matching(found)}")
    lines += _left_out(found)
    lines += [
        f"furthest apart: {one.item}, {'fake' if one.label else 'real'}: "
        + ", ".join(f"{name} {score:.3f}" for name, score in one.scores.items())
        for one in found.disagreements[:_DISAGREEMENTS]
    ]
    page = near(folder / "report.html")
    lines += [f"page: {page}", f"next: open {page}; or for a gate: --require better"]
    _say(console, lines)


def _say(console: Console, lines: Sequence[str]) -> None:
    text = "\n".join(printable(line) for line in lines)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _left_out(found: Comparison) -> list[str]:
    return [
        f"left out: {one.count:,} items, {REASONS[one.reason]}"
        + (f" ({one.name})" if one.name else "")
        + f": {one.examples[0]}"
        + (", ..." if one.count > 1 else "")
        for one in found.items.left_out
    ]


def _table(found: Comparison) -> Table:
    """Return a metric a row; with two detectors their difference, with more only values."""
    shown = found.detectors[:_COLUMNS_AT_MOST]
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.add_column("metric", no_wrap=True)
    for one in shown:
        table.add_column(
            Text(printable(one.name)), justify="right", overflow="ellipsis", no_wrap=True
        )
    if len(found.detectors) == 2:
        table.add_column("difference (95 %)", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
    for name in found.metrics:
        cells = [number(one.metrics[name].value) for one in shown]
        if len(found.detectors) == 2:
            pair = found.pairs[0].differences[name]
            cells += [difference(pair), pair.verdict]
        table.add_row(_SHORT.get(name, name), *cells)
    return table


_SHORT = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "eer": "EER",
    "tpr_at_fpr_1": "TPR at FPR 1 %",
    "balanced_accuracy": "balanced acc.",
    "log_loss": "log loss",
    "brier": "Brier",
}


def say_not_met(found: Comparison, require: str) -> None:
    """Say on stderr that the second detector is not what was asked for."""
    pair = found.pairs[0]
    wanted = require.replace("_", " ")
    sys.stderr.write(f"not met: {printable(pair.b)} is not shown to be {wanted} in AUROC\n" if
                     require == "better" or pair.headline.p is None else
                     f"not met: {printable(pair.b)} is worse in AUROC\n")  # fmt: skip
