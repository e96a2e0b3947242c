"""What ``deploy`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.deployment.deploying import Deployment
from deepfake_lightning.deployment.gate.decision import PAGE, Check, GateDecision
from deepfake_lightning.deployment.gate.words import headline, notes

_SIGN = {"passed": "yes", "failed": "NO", "not applicable": "-"}


def print_deployment(console: Console, found: Deployment) -> None:
    """Print the verdict first, then every check, what to do, and where the page is."""
    decision = found.decision
    say(console, [_sentence(headline(decision))])
    if decision.outcome == "nothing to do":
        return
    console.print(_table(decision))
    waits = [one.name for one in decision.checks if one.waits]
    lines = [line for one in decision.failed for line in _because(one)]
    lines += [f"not looked at, since that fails already: {', '.join(waits)}"] * bool(waits)
    lines += [f"note: {note}" for note in notes(decision)]
    say(console, [*lines, *_outcome(found), f"page: {near(found.folder / PAGE)}", *_next(found)])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _table(decision: GateDecision) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=26)
    table.add_column(overflow="fold")
    for one in decision.checks:
        if one.waits:
            continue
        style = {"failed": "bold red", "passed": "", "not applicable": "dim"}[one.status]
        cells = (_SIGN[one.status], one.name, one.says)
        table.add_row(*(Text(printable(cell), style=style) for cell in cells))
    return table


def _because(one: Check) -> list[str]:
    lines = [f"{one.name}: {one.why}"] if one.why else []
    return [*lines, f"  next: {one.next_step}"] if one.next_step else lines


def _outcome(found: Deployment) -> list[str]:
    asked = found.decision.evidence.asked
    if found.change is None:
        dry = asked.dry_run and found.decision.goes
        return ["a dry run: nothing is changed" if dry else "nothing is changed"]
    change = found.change
    return [f"{asked.environment} now serves {change.after.says} (record {change.number})"]


def _next(found: Deployment) -> list[str]:
    asked = found.decision.evidence.asked
    version, where = asked.version, asked.environment
    if found.change is None:
        if asked.dry_run and found.decision.goes:
            return [f"next: deepfake-lightning deploy {version} --env {where}"]
        if found.decision.unforceable:
            return []
        again = f"deepfake-lightning deploy {version} --env {where} --force true"
        return [f'against the gate: {again} --reason "..."'] if not found.decision.goes else []
    if asked.canary:
        return [f"next: deepfake-lightning canary watch --env {where}"]
    if where == "staging":
        return [f"next: deepfake-lightning deploy {version} --env production"]
    return [f"if it turns out bad: deepfake-lightning rollback --env {where} --reason ..."]
