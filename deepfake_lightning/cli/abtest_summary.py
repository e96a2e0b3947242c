"""What ``abtest status`` and ``list`` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.deployment.experiments.decision import ExperimentDecision
from deepfake_lightning.deployment.experiments.experiment import Experiment, Run
from deepfake_lightning.deployment.experiments.tables import (
    arm_rows,
    finding_rows,
    guard_lines,
    label_lines,
    split_lines,
)
from deepfake_lightning.deployment.experiments.words import metric_name

_LEFT = ("version", "challenger", "verdict")


def print_experiment(console: Console, found: ExperimentDecision, page: Path) -> None:
    """Print verdicts first, then figures, what is missing, and where the page is."""
    of = found.experiment
    head = f"{of.name} ({of.environment}, {of.mode}): {found.state}"
    head += f" since {found.started[:16].replace('T', ' ')} UTC" if found.started else ""
    head += f", ended by {found.outcome}" if found.outcome else ""
    lines = [head, *(f"STOP IT: {alarm}" for alarm in found.alarms)]
    say(console, [*lines, *(one.says for one in found.challengers)])
    console.print(_table(*finding_rows(found)))
    console.print(_table(*arm_rows(found)))
    rails = [f"{one.version}: {line} [{state}]" for one in found.challengers
             for state, line in guard_lines(one, of.control) if state != "kept"]  # fmt: skip
    lines = [f"compared: {metric_name(of)}; the control is {of.control}", *rails]
    lines += label_lines(found) + split_lines(found)
    lines += [f"missing: {line}" for line in found.missing]
    say(console, [*lines, f"page: {near(page)}", f"next: {found.next_step}"])


def list_table(found: Sequence[tuple[Experiment, Run]]) -> Table:
    """Return an experiment a row."""
    heads = ["name", "in", "mode", "control", "challengers", "started", "state"]
    rows = []
    for one, run in found:
        since = f"{run.started:%Y-%m-%d}" if run.started else "never"
        state = f"ended: {run.outcome or '?'}" if run.state == "ended" else run.state
        rows.append([one.name, one.environment, one.mode, one.control, ", ".join(one.challengers),
                     since, state])  # fmt: skip
    return _table(heads, rows, left=heads)


def listed(one: Experiment, run: Run) -> dict[str, Any]:
    """Return an experiment as plain JSON types."""
    return {
        **one.model_dump(mode="json", by_alias=True),
        "state": run.state,
        "started": run.started and run.started.isoformat(),
        "ended": run.ended and run.ended.isoformat(),
        "outcome": run.outcome,
    }


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = _LEFT
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        side = "left" if head in left else "right"
        table.add_column(head, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
