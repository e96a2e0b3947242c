"""The table of ``evaluate --robustness true`` in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from deepfake_lightning.evaluation.robustness.record import Robustness

_SHOWN = 8


def robustness_table(found: Robustness) -> Table:
    """Return the worst degradations, the worst first, and how many more there are."""
    from deepfake_lightning.evaluation.words import number, share, signed

    heads = ["AUROC", "change (95 %)"]
    heads += ["false\nalarms", "missed"] if found.decides else []
    table = Table(box=None, pad_edge=False)
    table.add_column("worst degradations", overflow="fold")
    for head in (*heads, "no\nscore"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in found.results[:_SHOWN]:
        change = one.auroc.difference
        ends = "" if change.low is None or change.high is None else (
            f" ({signed(change.low)} to {signed(change.high)})"
        )  # fmt: skip
        row = [number(one.auroc.degraded.value), f"{signed(change.value)}{ends}"]
        if found.decides:
            row += [share(one.false_alarms.degraded.value), share(one.missed.degraded.value)]
        table.add_row(one.words, *row, share(one.unscored.value))
    if (more := len(found.results) - _SHOWN) > 0:
        table.add_row(f"... and {more:,} on the page")
    return table
