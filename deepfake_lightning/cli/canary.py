"""``canary status``, ``step``, ``watch``, ``abort``: a version gets the traffic step by step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.canary_summary import line, show
from deepfake_lightning.cli.dispatch import INTERRUPTED
from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.cli.rollback import rolled_back_lines
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from deepfake_lightning.deployment.canary import CanaryDecision
    from deepfake_lightning.deployment.environment import Environment

ROLLED_BACK, ENDED_BY_OTHERS = 4, 5
_EXITS = {None: 0, "done": 0, "rolled_back": ROLLED_BACK, "other": ENDED_BY_OTHERS}


def status(
    env: str = "production",
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Show how a canary fares: its step, its guard-rails, and what it waits for.

    Args:
        env: the environment.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print everything as JSON, and nothing else.
    """
    from deepfake_lightning.deployment.canary import look
    from deepfake_lightning.deployment.environment import utc_now
    from deepfake_lightning.monitoring.log import existing_log

    environment, place = _of(env, log, workspace)
    with existing_log(place) as there:
        decision = look(environment, log=there, now=utc_now())
    if json:
        sys.stdout.write(dumps(decision.to_dict()) + "\n")
        return
    console = Console()
    show(console, decision)
    if decision.verdict == "hold":
        say(console, [f"next: deepfake-lightning canary watch --env {env}"])
    elif decision.verdict != "ended":
        say(console, [f"next: deepfake-lightning canary step --env {env}"])


def step(
    env: str = "production",
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Decide once, for cron: hold, advance to the next share, or roll back.

    Exit codes: 0 it goes on, or has all the traffic; 4 it is rolled back; 5 somebody else ended
    it; 2 wrong use, 1 the machine's fault.

    Args:
        env: the environment.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print the decision as JSON, and nothing else.
    """
    from deepfake_lightning.deployment import canary
    from deepfake_lightning.deployment.environment import utc_now
    from deepfake_lightning.monitoring.log import existing_log

    environment, place = _of(env, log, workspace)
    with existing_log(place) as there:
        decision = canary.step(environment, log=there, now=utc_now())
    if json:
        sys.stdout.write(dumps(decision.to_dict()) + "\n")
    else:
        show(Console(), decision)
    return _EXITS[decision.end]


def watch(
    env: str = "production",
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Decide after each minute, until the canary ends. Interrupted, it stays at its step.

    Exit codes: 0 the candidate has all the traffic; 4 it is rolled back; 5 somebody else ended it;
    2 wrong use, 1 the machine's fault, 130 interrupted.

    Args:
        env: the environment.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print each decision as a line of JSON, and nothing else.
    """
    from deepfake_lightning.deployment import canary

    environment, place = _of(env, log, workspace)
    console = Console(stderr=json)
    decision: CanaryDecision | None = None
    try:
        with _progress(console, json) as tell:
            decision = canary.watch(environment, place, tell=tell)
    except KeyboardInterrupt:
        say(
            console,
            ["interrupted: the canary stays at its step, and nobody judges it now",
             f"next: deepfake-lightning canary watch --env {env}, which goes on; or take it out: "
             f"deepfake-lightning canary abort --env {env} --reason ..."],
        )  # fmt: skip
        return INTERRUPTED
    if not json:
        show(console, decision)
    return _EXITS[decision.end]


def abort(
    reason: str = "", env: str = "production", by: str | None = None, workspace: str | None = None
) -> None:
    """Take a canary out by hand: the version that served before gets all the traffic again.

    Args:
        reason: why; there has to be one.
        env: the environment.
        by: who does it (default: the user of this process).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.deployment import canary

    environment, _ = _of(env, None, workspace)
    say(Console(), rolled_back_lines(environment, canary.abort(environment, reason, by=by)))


def _of(env: str, log: str | None, workspace: str | None) -> tuple[Environment, str | Path]:
    from deepfake_lightning.deployment.environment import Environment

    found = Workspace.find(workspace)
    return Environment(found, env), found.prediction_log(log)


@contextmanager
def _progress(console: Console, json: bool) -> Iterator[Callable[[CanaryDecision, float], None]]:
    """Show a line that counts down on a terminal; else a line for each decision."""
    last: list[CanaryDecision] = []
    with console.status("reading the prediction log") as shown:

        def tell(decision: CanaryDecision, left: float) -> None:
            new = last[-1:] != [decision]
            last[:] = [decision]
            if json and new:
                sys.stdout.write(dumps(decision.to_dict()) + "\n")
                sys.stdout.flush()
            elif new and (decision.verdict != "hold" or not console.is_terminal):
                say(console, [line(decision), *decision.reasons])
            shown.update(f"{printable(line(decision))}, next in {left:.0f} s")

        yield tell
