"""``monitor``: what production does, live in the terminal, as a report, or as an exit code."""

from __future__ import annotations

import sys
import time
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.monitoring.windows import Period, Scope


def monitor(
    env: str = "production",
    period: str | None = None,
    version: str | None = None,
    report: str | None = None,
    check: bool = False,
    set_baseline: bool = False,
    json: bool = False,
    log: str | None = None,
    workspace: str | None = None,
) -> int:
    """Watch what an environment answers: traffic, latency, verdicts, quality, drift, alerts.

    On a terminal it shows that until it is interrupted, and judges drift and alerts once a minute;
    elsewhere it prints it once. `--report OUT` writes a report of the period instead. `--check
    true` judges drift and alerts once, for cron.

    Exit codes of `--check true`: 0 nothing fires, 4 an alert fires, 2 wrong use, 1 the machine's
    fault.

    Args:
        env: the environment.
        period: 5m, 1h, 24h, 7d, or 2026-11-01..2026-11-08 (default: 1h; of a report: 24h).
        version: only requests that this one answered.
        report: a new folder for HTML, Markdown and JSON, or a file that ends with one of .html,
            .md, .json.
        check: judge drift and alerts once.
        set_baseline: keep the period's items (default: 7d) as what drift is measured from, where
            drift.yaml says `reference: baseline`; of the version that answers, or `--version`.
        json: print the figures, or what was judged, as JSON, and nothing else.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, else monitoring/predictions.db
            in the workspace).
        workspace: where the workspace is (default: mlops).
    """
    _refuse_both(period, version, report, check, json)
    if set_baseline and (check or json or report is not None):
        raise UsageError(
            "--set_baseline keeps items, and does nothing else",
            next_step="leave --check, --json and --report out",
        )
    from deepfake_lightning.monitoring.windows import Scope, parse_period

    found, now = Workspace.find(workspace), _now_us()
    place = found.prediction_log(log)
    _check_environment(env, found)
    if check:
        from deepfake_lightning.cli.monitor_check import check_once

        return check_once(found, place, env, now_us=now, json=json)
    text = period or ("7d" if set_baseline else "24h" if report is not None else "1h")
    chosen, scope = parse_period(text, now_us=now), Scope(env, version)
    if set_baseline:
        _set_baseline(found, place, chosen, scope)
    elif report is not None:
        _write_report(found, place, chosen, scope, Path(report), now)
    elif json:
        _print_json(place, chosen, scope)
    else:
        from deepfake_lightning.cli.monitor_live import watch

        watch(Console(), found, place, text, scope)
    return 0


def _refuse_both(
    period: str | None, version: str | None, report: str | None, check: bool, json: bool
) -> None:
    if report is not None and not report.strip():
        raise UsageError("--report is empty", next_step="name a new folder, or a new .html file")
    if report is not None and (check or json):
        other = "--check" if check else "--json"
        raise UsageError(f"--report and {other} are two things", next_step="pass one of them")
    if check and (period is not None or version is not None):
        raise UsageError(
            "--check looks at all versions, over the times that the rules name",
            next_step="leave --period and --version out; configs/alerts.yaml has the rules",
        )


def _check_environment(name: str, workspace: Workspace) -> None:
    """Refuse an environment that nobody has: a typing mistake would be waited for."""
    from deepfake_lightning.schemas.environment import ENVIRONMENTS

    known = sorted({*ENVIRONMENTS, *(path.stem for path in workspace.environments.glob("*.json"))})
    if name not in known:
        raise UsageError(
            f"there is no environment {name!r}", next_step=f"pass one of {', '.join(known)}"
        )


def _write_report(
    workspace: Workspace, place: str | Path, period: Period, scope: Scope, out: Path, now_us: int
) -> None:
    from deepfake_lightning.cli.monitor_reading import existing, sum_up
    from deepfake_lightning.monitoring.report import check_place, findings, gather, write_report

    check_place(out)
    console = Console()
    with existing(place) as log, steps(console) as progress:
        sum_up(log)
        made = gather(log, workspace, period, scope, now_us=now_us, progress=progress)
        path = write_report(made, out)
    lines = [f"{one.weight}: {one.says}" for one in findings(made)]
    total = made.window.total
    say(console, [f"{scope.environment}, {period.says}: {total.requests:,} requests", *lines,
                  f"written: {path}"])  # fmt: skip


def _set_baseline(workspace: Workspace, place: str | Path, period: Period, scope: Scope) -> None:
    from deepfake_lightning.cli.monitor_reading import existing, only_version, sum_up
    from deepfake_lightning.monitoring import drift

    console = Console()
    with existing(place) as log, console.status("reading the prediction log"):
        sum_up(log)
        version = scope.version or only_version(log, period, scope)
        made = drift.set_baseline(log, workspace, scope.environment or "", version, period)
    lines = [f"{version}: {len(made.logit):,} items of {period.says} are the baseline: {made.path}"]
    if drift.policy_of(workspace).reference != "baseline":
        path = workspace.monitoring / "policy" / "drift.yaml"
        lines.append(f"it counts once {path} says: reference: baseline")
    say(
        console,
        [*lines, f"next: deepfake-lightning monitor --env {scope.environment} --check true"],
    )


def _print_json(place: str | Path, period: Period, scope: Scope) -> None:
    from deepfake_lightning.cli.monitor_reading import existing, sum_up
    from deepfake_lightning.monitoring.report import plain, window_record
    from deepfake_lightning.monitoring.windows import audited_quality, read_window

    with existing(place) as log:
        sum_up(log)
        window = read_window(log, period, scope)
        quality = audited_quality(log, period, scope)
        name = log.name
    record = {
        "schema": 1,
        "log": name,
        **window_record(window),
        "audited": [plain(one) for one in quality.values()],
    }
    sys.stdout.write(dumps(record, allow_nan=False) + "\n")


def _now_us() -> int:
    return time.time_ns() // 1000
