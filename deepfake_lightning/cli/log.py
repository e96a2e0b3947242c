"""``log show``, ``export``, ``prune``, ``erase``: the prediction log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.monitoring.log import PredictionLog
    from deepfake_lightning.monitoring.log.overview import Overview
    from deepfake_lightning.monitoring.log.rollup_windows import Rollup

_VERDICTS = ("manipulation_indicated", "no_indication", "inconclusive", "not_assessable")


def show(
    days: int = 14, log: str | None = None, workspace: str | None = None, json: bool = False
) -> None:
    """Show what is in the prediction log: requests by day and version, verdicts, labels, gaps.

    Days are those of UTC. What has changed since the server last added it up is added up first.

    Args:
        days: how many, today included.
        log: a path or a database URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print everything as JSON, and nothing else.
    """
    _check_days(days)
    from deepfake_lightning.monitoring.log.overview import DAY_US, overview, to_record
    from deepfake_lightning.monitoring.log.rollups import make_rollups

    console = Console(stderr=json)
    with opened_log(log, workspace) as opened:
        with steps(console) as progress:
            make_rollups(opened, progress=progress)
        tomorrow = _us(datetime.now(UTC).date() + timedelta(days=1))
        found = overview(opened, tomorrow - days * DAY_US, tomorrow)
        name = opened.name
    if json:
        sys.stdout.write(dumps({"log": name, **to_record(found)}) + "\n")
        return
    if found.days:
        console.print(_days_table(found.days))
    say(console, _about(found, name, days))


def _days_table(days: Sequence[Rollup]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("day", no_wrap=True)
    table.add_column("version", no_wrap=True)
    for head in ("requests", "5xx", "503", "fake?", "clear", "unsure", "none", "p95 ms"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in reversed(days):
        count, items = one.totals.count, one.totals.count("items")
        shown = [f"{count(name):,}" for name in ("requests", "status_5xx", "status_503")]
        version = printable(one.key["version"] or "none")
        if one.key["variant"] == "shadow":  # it is asked nothing, and answers nobody
            shown, version = [f"{items:,}", "", ""], f"{version} shadow"
        p95 = one.totals.latency_quantile(0.95)
        table.add_row(
            str(_day(one.start_us)),
            Text(version),
            *shown,
            *(f"{count(name) / items:.0%}" if items else "" for name in _VERDICTS),
            f"{p95 / 1000:,.0f}" if p95 is not None else "",
        )
    return table


def _about(found: Overview, name: str, days: int) -> list[str]:
    lines = [] if found.days else [f"no request in the last {days} days"]
    if found.days:
        lines.append("fake?: manipulation indicated; clear: no indication; none: not assessable")
    held = f"{name}: {found.requests:,} requests, {found.bytes / 1e6:,.1f} MB"
    if found.first_us is not None and found.last_us is not None:
        held += f", {_day(found.first_us)} to {_day(found.last_us)}"
    lines.append(held)
    sources = ", ".join(f"{source} {number:,}" for source, number in sorted(found.labels.items()))
    said = f" ({sources})" if sources else ""
    lines.append(f"labels: {sum(found.labels.values()):,}{said}, of {found.labelled:,} requests")
    if found.lost:
        lines.append(f"lost, at least: {found.lost:,} requests and scores")
    lines += [
        f"  {_moment(gap.from_us)} to {_moment(gap.to_us)}: {gap.lost:,}, {gap.reason}"
        for gap in found.gaps
    ]
    lines.append("next: deepfake-lightning log export --out predictions.parquet")
    return lines


def export(
    out: str = "predictions.parquet",
    start: str | None = None,
    end: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
) -> None:
    """Write the prediction log to a Parquet file: requests, their scores, the latest label.

    A row is a score; shadow versions' scores are rows of their own.

    Args:
        out: the file.
        start: first day, 2026-01-31 (default: all there is); days are those of UTC.
        end: last day (default: all there is).
        log: a path or a database URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.monitoring.log.exporting import export as write

    window = {}
    if start is not None:
        window["start_us"] = _us(_parsed("start", start))
    if end is not None:
        window["end_us"] = _us(_parsed("end", end) + timedelta(days=1))
    console = Console()
    with opened_log(log, workspace) as opened, steps(console) as progress:
        number = write(opened, Path(out), **window, progress=progress)
    say(console, [f"{out}: {number:,} requests", f"next: duckdb -c \"SUMMARIZE '{out}'\""])


def prune(
    days: int = 90,
    yes: bool = False,
    rollup_days: int | None = None,
    log: str | None = None,
    workspace: str | None = None,
) -> None:
    """Remove old requests, with their scores, labels and media; sums by the minute are kept.

    Without `--yes true` it says what it would remove, and removes nothing. The file of an SQLite
    log keeps its size; what is freed is used for new rows.

    Args:
        days: requests older than this go.
        yes: remove them.
        rollup_days: sums older than this go, too (default: they stay).
        log: a path or a database URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
    """
    _check_days(days)
    if rollup_days is not None and rollup_days < days:
        raise UsageError(
            f"--rollup_days {rollup_days} is less than --days {days}",
            why="sums that are gone cannot stand for requests that are there",
            next_step=f"pass {days} or more",
        )
    from deepfake_lightning.monitoring.log.overview import DAY_US
    from deepfake_lightning.monitoring.log.pruning import prunable, prune_rollups
    from deepfake_lightning.monitoring.log.pruning import prune as remove
    from deepfake_lightning.monitoring.review.media_files import media_folder, remove_orphans

    console = Console()
    now = round(datetime.now(UTC).timestamp() * 1_000_000)
    with opened_log(log, workspace) as opened:
        old = prunable(opened, now - days * DAY_US)
        what = f"{old.requests:,} requests of before {_moment(old.before_us)} UTC"
        with_them = f"{old.scores:,} scores, {old.labels:,} labels"
        if not yes:
            command = f"deepfake-lightning log prune --days {days} --yes true"
            say(console, [f"would remove {what} ({with_them})", f"next: {command}"])
            return
        with steps(console) as progress:
            number = remove(opened, old.before_us, progress=progress)
        remove_orphans(opened, media_folder(Workspace.find(workspace), opened))
        sums = prune_rollups(opened, now - rollup_days * DAY_US) if rollup_days else 0
    lines = [f"removed {number:,} requests of before {_moment(old.before_us)} UTC"]
    if sums:
        lines.append(f"removed {sums:,} sums of more than {rollup_days} days ago")
    say(console, lines)


def erase(request_id: str, log: str | None = None, workspace: str | None = None) -> None:
    """Erase a request: all that the prediction log keeps under its id, and its media.

    It still counts in the sums of minutes that were pruned, which say nothing of one request.

    Args:
        request_id: as the answer gave it.
        log: a path or a database URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.monitoring.review.media_files import media_folder, remove_media
    from deepfake_lightning.retraining.erasing import forget

    with opened_log(log, workspace) as opened:
        known = opened.erase(request_id)
        # After the row: a server that is about to write the file looks for the row once more.
        media = remove_media(media_folder(Workspace.find(workspace), opened), [request_id])
        collected = forget(Workspace.find(workspace), request_id)
        if not (known or media or collected):
            raise UsageError(
                f"{opened.name} holds no request {request_id}",
                next_step="check the id; a request is there half a second after its answer",
            )
    say(Console(), [f"{request_id} is erased"])


@contextmanager
def opened_log(log: str | None, workspace: str | None) -> Iterator[PredictionLog]:
    """Give a prediction log that is there already.

    Raises:
        UsageError: it is not.
    """
    place = Workspace.find(workspace).prediction_log(log)
    from deepfake_lightning.monitoring.log import PredictionLog, is_missing

    if is_missing(place):
        raise UsageError(
            f"there is no prediction log at {place}",
            next_step="`deepfake-lightning serve` writes one; or pass --log, --workspace",
        )
    with PredictionLog(place) as opened:
        yield opened


def _check_days(days: int) -> None:
    if days < 1:
        raise UsageError(f"--days {days} are no days", next_step="pass 1 or more")


def _parsed(name: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise UsageError(
            f"--{name} {value} is no day", next_step="write it as 2026-01-31"
        ) from None


def _us(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _day(ts_us: int) -> date:
    return datetime.fromtimestamp(ts_us / 1e6, UTC).date()


def _moment(ts_us: int) -> str:
    return datetime.fromtimestamp(ts_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
