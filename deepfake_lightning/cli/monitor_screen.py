"""What ``monitor`` shows, in 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from deepfake_lightning.cli.monitor_bars import bar
from deepfake_lightning.cli.monitor_tables import VERDICTS, quality, table_of, traffic, verdicts
from deepfake_lightning.cli.printable import printable

if TYPE_CHECKING:
    from deepfake_lightning.cli.monitor_reading import Shown
    from deepfake_lightning.monitoring.windows import (
        RecentPrediction,
        Scope,
    )

_MOST_ALERTS, _LATEST, _WITH_IDS = 4, 10, 110


def screen(
    shown: Shown, *, width: int, height: int | None, fault: str | None = None,
    told: str | None = None,
) -> RenderableType:  # fmt: skip
    """Return all of it.

    Args:
        shown: what was read.
        width: columns there are.
        height: lines there are; None: as many as it takes.
        fault: what fails at the moment.
        told: the last message of an alert that was sent here.
    """
    upper = [*_head(shown, fault), *_alerts(shown), *_told(told), *traffic(shown), *verdicts(shown)]
    lower = [*quality(shown), *_drift(shown)]
    ruler = Console(width=width, file=StringIO())
    taken = len(ruler.render_lines(Group(*upper, *lower)))
    room = _LATEST if height is None else max(0, height - taken)
    return Group(*upper, *lower, *_latest(shown, room, ids=width >= _WITH_IDS))


def empty(
    place: str | Path, scope: Scope, fault: str | None = None, told: str | None = None
) -> RenderableType:
    """Return what is shown while there is no log."""
    lines = [Text(f"{scope.environment}: no prediction log yet", "bold")]
    lines.append(_plain(fault or f"there is none at {place}"))
    lines.append(_plain(f"start a server:  deepfake-lightning serve --env {scope.environment}"))
    lines.append(_plain("or say where the log is:  deepfake-lightning monitor --log PATH_OR_URL"))
    lines += _told(told)
    return Group(*lines)


def _plain(words: str, style: str = "") -> Text:
    return Text(printable(words), style, no_wrap=True, overflow="ellipsis")


def _told(told: str | None) -> list[Text]:
    return [_plain(f"message, {told}")] if told else []


def _head(shown: Shown, fault: str | None) -> Iterator[Text]:
    from deepfake_lightning.monitoring.report.words import duration, moment

    window = shown.window
    scope = [window.scope.environment or "all environments", window.scope.version]
    about = ", ".join([*filter(None, scope), window.period.says])
    head = Text.assemble((printable(about), "bold"), f"   {moment(shown.now_us)}")
    yield head
    if fault:
        yield _plain(f"fault: {fault}", "bold red")
    if window.lost:
        latest = window.gaps[0]
        yield _plain(f"lost: at least {window.lost:,} requests are not in the log, "
                     f"{moment(latest.to_us)}: {latest.reason}", "yellow")  # fmt: skip
    if window.stale_minutes > 1:  # the minute that is going on is always one
        yield _plain(f"{window.stale_minutes:,} minutes are not added up yet", "yellow")
    if not window.total.requests:
        last = window.last_us
        ago = "none ever came" if last is None else (
            f"the last one came {duration((shown.now_us - last) / 1e6)} ago, {moment(last)}"
        )  # fmt: skip
        yield _plain(f"no requests: {ago}", "yellow")
        yield _plain(f"start a server:  deepfake-lightning serve --env {window.scope.environment}")


def _alerts(shown: Shown) -> Iterator[Text]:
    from deepfake_lightning.monitoring.report.words import duration

    colours = {"critical": "bold red", "warning": "bold yellow"}
    firing = [one for one in shown.alerts if one.state == "firing"]
    for one in firing[:_MOST_ALERTS]:
        ago = duration((shown.now_us - (one.fired_us or one.since_us)) / 1e6)
        seen = f", {one.acknowledged_by} has seen it" if one.acknowledged_by else ""
        yield _plain(f"firing for {ago}: {one.rule}, {one.subject}{seen}: {one.says}",
                     colours[one.severity])  # fmt: skip
    more = len(firing) - _MOST_ALERTS
    pending = sum(one.state == "pending" for one in shown.alerts)
    left = [f"{more} more fire" if more > 0 else "", f"{pending} pending" if pending else ""]
    if any(left):
        yield _plain(", ".join(filter(None, left)) + ":  deepfake-lightning alerts list", "yellow")
    if not shown.alerts:
        yield _plain("no alert fires", "green")


def _drift(shown: Shown) -> Iterator[Text]:
    from deepfake_lightning.monitoring.report.words import moment

    for version, one in shown.drift.items():
        moved = ", ".join(one.moved_features)
        state = f"drifting: {moved}" if one.confirmed else f"moved once: {moved}" if moved else (
            "as it was"
        )  # fmt: skip
        yield Text.assemble(
            ("drift  ", "bold"),
            printable(f"{version} {one.score or 0:.2f} "),
            (bar(one.score or 0.0, 12), "yellow" if one.moved else "cyan"),
            (printable(f" {state}"), "bold yellow" if one.confirmed else ""),
            (f"  {moment(one.start_us)[5:16]}", "dim"),
            no_wrap=True, overflow="ellipsis",
        )  # fmt: skip


def _latest(shown: Shown, room: int, *, ids: bool) -> Iterator[RenderableType]:
    rows: Sequence[RecentPrediction] = shown.latest[: max(0, room - 1)]
    if not rows:
        return
    from deepfake_lightning.monitoring.report.words import milliseconds, moment

    heads = ["version", "media", "verdict", "score", "took", "answer"]
    table = table_of("latest", heads, right=3)
    if ids:
        table.add_column("request", no_wrap=True)
    for one in rows:
        table.add_row(
            moment(one.ts_us)[11:16] + f":{one.ts_us // 1_000_000 % 60:02d}",
            Text(printable(one.version or "none")),
            Text(printable(one.media_type or "-")),
            Text(printable(VERDICTS.get(one.verdict or "", one.verdict or one.error or "-"))),
            "-" if one.score is None else f"{one.score:.3f}",
            milliseconds(one.latency_us / 1000),
            Text(str(one.http_status), "red" if one.http_status >= 500 else ""),
            *([Text(printable(one.id), "dim")] if ids else []),
        )
    yield table
