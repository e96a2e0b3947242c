"""``alerts rules``, ``alerts dashboard``: the same for who watches with Prometheus and Grafana."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path

from rich.console import Console

from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace, atomic_write


def rules(out: str | None = None, workspace: str | None = None) -> None:
    """Write the alert policy as rules for Prometheus, with the same names and limits.

    Its head says where each rule is watched: audited quality and drift are judged from the
    prediction log by `monitor`, and what that found becomes an alert of Prometheus, too.

    Args:
        out: file to write, rules.yaml; without one they are printed.
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.monitoring.alerts.policy_files import EXAMPLE, policy_files, policy_of
    from deepfake_lightning.serving.prometheus.rule_file import rule_file

    found = Workspace.find(workspace)
    sources = [str(path) for path in policy_files(found)] or [f"the defaults, as {EXAMPLE}"]
    _write(rule_file(policy_of(found), sources), out, f"promtool check rules {out}")


def dashboard(out: str | None = None) -> None:
    """Write Grafana's dashboard of the server's metrics, as JSON.

    Grafana imports it (Dashboards, New, Import), and asks which Prometheus has the figures.

    Args:
        out: file to write, grafana.json; without one it is printed.
    """
    from deepfake_lightning.serving.prometheus.dashboard import dashboard as made

    _write(dumps(made(), indent=2) + "\n", out, f"import {out} into Grafana")


def _write(text: str, out: str | None, next_step: str) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    path = Path(out)
    if not out.strip() or path.is_dir():
        raise UsageError(f"--out {out!r} is no file", next_step="name a file, rules.yaml")
    with atomic_write(path, "w") as file:
        file.write(text)
    say(Console(), [f"written: {out}", f"next: {next_step}"])
