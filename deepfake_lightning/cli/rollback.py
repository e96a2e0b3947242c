"""``rollback``: the version that served before gets all the traffic again."""

from __future__ import annotations

import sys
from json import dumps
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.printable import say
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.deployment.environment import Environment
    from deepfake_lightning.deployment.rollback import Rollback

_WAIT_SECONDS = 5.0


def rollback(
    to: str | None = None,
    env: str = "production",
    reason: str = "",
    by: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Give a version that served before all the traffic, at once.

    It is verified first; what serves now may be damaged or gone. A canary or an experiment ends
    with it. A running server takes it within a second, and no request fails.

    Args:
        to: the version (default: the one that had all the traffic before).
        env: the environment.
        reason: why; there has to be one.
        by: who does it (default: the user of this process).
        workspace: where the workspace is (default: mlops).
        json: print what was done as JSON, and nothing else.
    """
    from deepfake_lightning.deployment.environment import Environment
    from deepfake_lightning.deployment.rollback import roll_back

    environment = Environment(Workspace.find(workspace), env)
    done = roll_back(environment, reason, to=to, by=by, wait_seconds=_WAIT_SECONDS)
    if json:
        record = {"schema": 1, "environment": env, "target": done.target,
                  "before": done.before.model_dump(mode="json", by_alias=True),
                  "change": done.change and done.change.model_dump(mode="json", by_alias=True),
                  "taken": done.taken, "seconds": done.seconds}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    say(Console(), rolled_back_lines(environment, done))


def rolled_back_lines(environment: Environment, done: Rollback) -> list[str]:
    """Return what a rollback did, in lines."""
    name = environment.name
    if done.change is None:
        return [f"{done.target} has all the traffic of {name} already: nothing was changed"]
    lines = [f"{name}: {done.target} has all the traffic (before: {done.before.says})"]
    if done.seconds is not None:
        lines.append(f"the running server has taken it, {done.seconds:.2f} s after the change")
    else:
        lines.append(
            f"no running server has taken it within {_WAIT_SECONDS:g} s: one that is started "
            "takes it; of one that runs, GET /readyz says why not (refused)"
        )
    lines.append(f"next: deepfake-lightning registry history --env {name}")
    return lines
