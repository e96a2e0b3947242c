"""A canary's decisions on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.printable import say

if TYPE_CHECKING:
    from deepfake_lightning.deployment.canary import CanaryDecision


def line(decision: CanaryDecision) -> str:
    """Return a decision in a line."""
    from deepfake_lightning.deployment.canary.words import clock, share_of

    policy, found = decision.state.policy, decision.judgement
    text = f"{clock(decision.at_us)[11:16]} {decision.state.candidate} {share_of(decision.share)}"
    text += f" (step {decision.step + 1} of {len(policy.steps)}): {decision.verdict}"
    if found is None:
        return text
    bad = sum(one.state in ("unclear", "broken") for one in found.findings)
    rails = f"{bad} of {len(found.findings)} in doubt" if bad else "guard-rails hold"
    return f"{text}, {found.requests:,} of {policy.requests:,} requests, {rails}"


def show(console: Console, decision: CanaryDecision) -> None:
    """Print a decision, its reasons, and the guard-rails."""
    from deepfake_lightning.deployment.canary.words import clock, share_of

    state, found = decision.state, decision.judgement
    head = f"{state.environment}: {state.candidate} beside {state.champion}, "
    head += f"{share_of(decision.share)}, step {decision.step + 1} of {len(state.policy.steps)}"
    verdict = decision.verdict.replace("_", " ")
    undone = decision.change is None and decision.verdict not in ("hold", "ended")
    lines = [head, f"the next step would {verdict}:" if undone else f"{verdict}:"]
    lines += [f"  {reason}" for reason in decision.reasons]
    if decision.answered is not None:
        lines.append(f"{state.candidate} answered {decision.answered:,} requests since "
                     f"{clock(_us(state.begun))}")  # fmt: skip
    if decision.taken is not None:
        taken = "a running server has taken it" if decision.taken else "no server has taken it yet"
        lines.append(taken)
    say(console, lines)
    if found is not None and found.findings:
        console.print(_table(decision))
    if decision.verdict == "roll_back" and not undone:
        say(console, [f"next: deepfake-lightning registry history --env {state.environment}"])


def _us(at: str) -> int:
    from deepfake_lightning.deployment.canary.state import time_us

    return time_us(at)


def _table(decision: CanaryDecision) -> Table:
    assert decision.judgement is not None
    table = Table(box=None, pad_edge=False)
    table.add_column("guard-rail", no_wrap=True)
    for head in (decision.state.candidate, decision.state.champion, "limit"):
        table.add_column(head, justify="right")
    table.add_column("", no_wrap=True)
    for one in decision.judgement.findings:
        shown = [_figure(one.guard, value) for value in (one.candidate, one.champion)]
        table.add_row(one.guard.replace("_", " "), *shown, _limit(one.guard, one.limit),
                      Text(one.state))  # fmt: skip
    return table


def _figure(guard: str, value: float | None) -> str:
    if value is None:
        return "-"
    if guard in ("latency", "slowest"):
        return f"{value:,.0f} ms"
    return f"{value:.3f}" if guard == "score_shift" else f"{100 * value:.2f} %"


def _limit(guard: str, limit: float) -> str:
    if guard == "latency":
        return f"x {limit:g}"
    if guard == "slowest":
        return f"{limit:,g} ms"
    return f"{limit:g} apart" if guard == "score_shift" else f"+ {100 * limit:g} points"
