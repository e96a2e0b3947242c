"""Tables of ``monitor``: traffic, verdicts and scores, quality."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.monitor_bars import bar, columns, spark
from deepfake_lightning.cli.printable import printable

if TYPE_CHECKING:
    from deepfake_lightning.cli.monitor_reading import Shown
    from deepfake_lightning.monitoring.windows import AuditedQuality, Figures

VERDICTS = {
    "manipulation_indicated": "indicated",
    "no_indication": "no indication",
    "inconclusive": "inconclusive",
    "not_assessable": "not assessable",
}
"""What verdicts are called where there is little room."""


def traffic(shown: Shown) -> Iterator[RenderableType]:
    """Return rates and latencies, by media and version, and the rate over time."""
    if not shown.window.total.requests:
        return
    from deepfake_lightning.monitoring.report.words import named

    window = shown.window
    table = table_of("traffic", ("requests", "rate", "5xx", "503", "4xx", "p50", "p95", "p99"))
    table.add_row("all", *_traffic_cells(window.total))
    kinds = {name: one for name, one in window.by_media.items() if name != "unknown"}
    for name, one in kinds.items() if len(kinds) > 1 else ():
        table.add_row(Text(f"  {printable(name)}"), *_traffic_cells(one))
    serving = {key: one for key, one in window.by_version.items() if key[1] == "serving"}
    for key, one in serving.items():
        table.add_row(Text(f"  {printable(named(*key))}"), *_traffic_cells(one))
    yield table
    rates = [
        sum(one.per_second or 0.0 for one in step if one is not None)
        for step in zip(*shown.series.figures.values(), strict=True)
    ]
    if rates:
        minutes = shown.series.step_s // 60
        step = f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"
        yield Text.assemble(("rate, a step is " + step + "  ", "dim"), (spark(rates, 48), "cyan"))


def _traffic_cells(one: Figures) -> tuple[str, ...]:
    from deepfake_lightning.monitoring.report.words import milliseconds, rate

    rates = (one.error_rate, one.refusal_rate, one.bad_request_rate)
    times = (one.p50_ms, one.p95_ms, one.p99_ms)
    shown = (_share(value) for value in rates)
    return f"{one.requests:,}", rate(one.per_second), *shown, *map(milliseconds, times)


def verdicts(shown: Shown) -> Iterator[RenderableType]:
    """Return the shares of verdicts beside the scores."""
    total = shown.window.total
    if not total.items:
        return
    left = Table.grid(padding=(0, 1))
    for name, words in VERDICTS.items():
        value = total.verdicts.get(name)
        left.add_row(words, bar(value or 0.0, 12), _share(value))
    left.add_row(Text("no face", "dim"), "", Text(_share(total.no_face_rate), "dim"))
    both = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    both.add_column("verdicts", no_wrap=True)
    both.add_column("scores: probability of fake", no_wrap=True)
    rows = columns(total.scores, 4)
    right = Group(*(Text(row, "cyan") for row in rows), Text(_axis(), "dim"))
    both.add_row(left, right)
    yield both


def _axis() -> str:
    """Return probabilities below the columns of calibrated log-odds."""
    from deepfake_lightning.monitoring.log.totals import SCORE_EDGES

    low, step = float(SCORE_EDGES[0]), float(SCORE_EDGES[1] - SCORE_EDGES[0])
    axis = " " * (len(SCORE_EDGES) - 1)
    for name in ("0.001", "0.1", "0.5", "0.9", "0.999"):
        chance = float(name)
        start = round((math.log(chance / (1 - chance)) - low) / step - len(name) / 2)
        axis = f"{axis[:start]}{name}{axis[start + len(name) :]}"
    return axis


def quality(shown: Shown) -> Iterator[RenderableType]:
    """Return how good the verdicts were on reviewed requests."""
    if not shown.audited:
        return
    from deepfake_lightning.monitoring.report.words import named

    table = table_of("reviewed", ("balanced accuracy", "recall", "false alarms", "AUROC", "labels"))
    for key, one in shown.audited.items():
        table.add_row(Text(printable(named(*key))), *_quality_cells(one))
    yield table


def _quality_cells(one: AuditedQuality) -> tuple[str | Text, ...]:
    shown = []
    for name in ("balanced_accuracy", "recall", "fpr", "auroc"):
        found = getattr(one, name)
        wide = name == "balanced_accuracy"
        text = "undefined" if found is None else f"{found.value:.3f}"
        if found is not None and wide:
            text += f" ({found.low:.2f} to {found.high:.2f})"
        shown.append(text)
    told = Text(f"{one.labels:,} of {one.drawn:,}", "yellow" if one.low_coverage else "")
    return (*shown, told)


def table_of(first: str, heads: Sequence[str], right: int = 0) -> Table:
    """Return an empty table whose columns from ``right`` on are set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place >= right else "left", no_wrap=True)
    return table


def _share(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{100 * value:.2f} %" if 0 < value < 0.001 else f"{100 * value:.1f} %"
