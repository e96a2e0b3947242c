"""``alerts list``, ``acknowledge``, ``silence``, ``test``: what fires, and who is told."""

from __future__ import annotations

import sys
import time
from json import dumps

from rich.console import Console

from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

_MAX_HOURS = 400 * 24
_SECOND_US = 1_000_000


def list_alerts(
    history: str | None = None, workspace: str | None = None, json: bool = False
) -> None:
    """List the alerts that fire, are pending, or were resolved in the last week.

    They are as the last round of checks left them: `monitor`, `monitor --check` and `dashboard`
    make rounds.

    Args:
        history: list what happened in this time instead: 24h, 7d, 2026-11-01..2026-11-08.
        workspace: where the workspace is (default: mlops).
        json: print everything as JSON, and nothing else.
    """
    from deepfake_lightning.cli.alerts_summary import events_lines, state_lines
    from deepfake_lightning.monitoring.alerts import alert_history
    from deepfake_lightning.monitoring.alerts.state import read_state
    from deepfake_lightning.monitoring.windows import parse_period

    found, now_us = Workspace.find(workspace), _now_us()
    if history is not None:
        events = alert_history(found, parse_period(history, now_us=now_us))
        if json:
            record = {"schema": 1, "events": [one.to_dict() for one in events]}
            sys.stdout.write(dumps(record) + "\n")
        else:
            say(Console(), events_lines(events))
        return
    state = read_state(found)
    if json:
        record = {"schema": 1, **state.to_dict()}
        sys.stdout.write(dumps(record) + "\n")
    else:
        say(Console(), state_lines(state, now_us))


def acknowledge(
    alert: str, by: str | None = None, note: str | None = None, workspace: str | None = None
) -> None:
    """Say that you take care of an alert: nobody is reminded of it, and its end is told.

    Args:
        alert: its id, or the first digits of it.
        by: who does it (default: the user of this process).
        note: what others should know.
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.monitoring.alerts import acknowledge as act
    from deepfake_lightning.registry.registering import user

    done = act(Workspace.find(workspace), alert, by=by or user(), note=note, now_us=_now_us())
    say(Console(), [f"{done.rule} of {done.subject} ({done.id}): {done.acknowledged_by} has it",
                    "next: deepfake-lightning alerts list"])  # fmt: skip


def silence(
    what: str,
    hours: float = 1.0,
    reason: str = "",
    by: str | None = None,
    workspace: str | None = None,
) -> None:
    """Send no messages of some alerts for a while; they are listed all the same.

    What still fires when the time is over is told then.

    Args:
        what: a rule (errors), a subject (production/v1.1.0), or an environment (production).
        hours: for how long; 0 ends a silence.
        reason: why; there has to be one, but for 0 hours.
        by: who does it (default: the user of this process).
        workspace: where the workspace is (default: mlops).
    """
    if not 0 <= hours <= _MAX_HOURS:
        raise UsageError(f"--hours {hours:g} cannot be", next_step=f"pass 0 to {_MAX_HOURS}")
    from deepfake_lightning.monitoring.alerts import silence as act
    from deepfake_lightning.monitoring.alerts.records import moment
    from deepfake_lightning.registry.registering import user

    now_us = _now_us()
    made = act(
        Workspace.find(workspace), what, until_us=now_us + round(hours * 3600 * _SECOND_US),
        by=by or user(), reason=reason if hours else "ended", now_us=now_us,
    )  # fmt: skip
    if not hours:
        say(Console(), [f"messages of {what} are sent again"])
        return
    say(Console(), [f"no messages of {made.what} until {moment(made.until_us)}: {made.reason}",
                    f"next: to end it, deepfake-lightning alerts silence {what} --hours 0"],
    )  # fmt: skip


def test(workspace: str | None = None, json: bool = False) -> int:
    """Send a test message through each channel of the policy, and say which arrived.

    Exit codes: 0 all arrived; 1 one did not; 2 the policy cannot work.

    Args:
        workspace: where the workspace is (default: mlops).
        json: print everything as JSON, and nothing else.
    """
    from deepfake_lightning.monitoring.alerts.delivering import send_test
    from deepfake_lightning.monitoring.alerts.policy_files import EXAMPLE, policy_files, policy_of

    found = Workspace.find(workspace)
    policy, console = policy_of(found), Console(stderr=json)
    if not policy.channels:
        raise UsageError("the policy has no channels", next_step=f"{EXAMPLE} shows some")
    with console.status("sending"):
        results = send_test(policy, found, now_us=_now_us())
    if json:
        record = {
            "schema": 1,
            "channels": [
                {"name": name, "kind": kind, "fault": fault} for name, kind, fault in results
            ],
        }
        sys.stdout.write(dumps(record) + "\n")  # fmt: skip
    else:
        where = ", ".join(map(str, policy_files(found))) or "the defaults"
        lines = [f"  {name} ({kind}): {fault or 'arrived'}" for name, kind, fault in results]
        say(console, [f"policy: {where}", *lines, "next: deepfake-lightning monitor --check true"])
    return 1 if any(fault for _, _, fault in results) else 0


def _now_us() -> int:
    return time.time_ns() // 1000
