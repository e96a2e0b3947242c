"""``feedback list``, ``feedback import``: what waits for reviewers, and labels from a file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.log import opened_log
from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace, atomic_write

if TYPE_CHECKING:
    from deepfake_lightning.monitoring.review import ReviewItem
    from deepfake_lightning.monitoring.review.labels_file import LabelsFile
    from deepfake_lightning.monitoring.review.workload import Workload

STATE_WORDS = {"waiting": "an opinion", "second": "a second one",
               "disagreement": "a third one", "done": ""}  # fmt: skip
_OUT = ("request_id", "label", "by", "note", "came", "state", "environment", "version",
        "media_type", "media")  # fmt: skip
_SHOWN_FAULTS = 10
_MOST_SHOWN, _MOST_WRITTEN = 20, 100_000


def list_queue(
    env: str | None = None,
    state: Literal["waiting", "second", "disagreement", "done"] | None = None,
    by: str | None = None,
    limit: int | None = None,
    out: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Show the requests that were drawn for review: how many wait, and the latest of them.

    What the detector said of a request is not shown before it is done: who knows that says the
    same. With --out they are written to a CSV file, which `feedback import FILE --source review`
    takes once its columns label and by are filled in.

    Args:
        env: only requests to this environment.
        state: only those that wait for a first, a second, or a deciding opinion; or those done
            (default: all that wait).
        by: a reviewer; leaves out what this one has judged already.
        limit: requests to show (default: 20) or to write (default: all), at most.
        out: CSV file to write them to.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print everything as JSON, and nothing else.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} shows nothing", next_step="pass 1 or more")
    if out is not None and Path(out).suffix.lower() != ".csv":
        raise UsageError(f"{out} is no CSV file", next_step="let its name end in .csv")
    from deepfake_lightning.monitoring.log.rollups import make_rollups
    from deepfake_lightning.monitoring.review import (
        media_folder,
        policy_of,
        queue_counts,
        review_queue,
    )
    from deepfake_lightning.monitoring.review.workload import workload

    place, console = Workspace.find(workspace), Console(stderr=json)
    most = limit or (_MOST_SHOWN if out is None else _MOST_WRITTEN)
    policy = policy_of(place)
    with opened_log(log, workspace) as opened:
        with steps(console) as progress:
            make_rollups(opened, progress=progress)
        folder = media_folder(place, opened)
        found: list[ReviewItem] = []
        for one in (state,) if state else ("disagreement", "second", "waiting"):
            found += review_queue(
                opened, environment=env, state=one, limit=most - len(found), reviewer=by,
                policy=policy, media=folder,
            ) if len(found) < most else []  # fmt: skip
        counts = queue_counts(opened, environment=env, policy=policy)
        work = workload(opened, policy, now_us(), environment=env)
    if out is not None:
        _write(Path(out), found)
    if json:
        record = {"schema": 1, "counts": counts, "workload": vars(work) if work else None,
                  "items": [item_record(one) for one in found]}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    if out is None and found:
        console.print(_table(found))
    say(console, [_counted(counts), _planned(work, policy.rate), *_next(found, out, env)])


def import_file(
    file: str,
    source: Literal["import", "review"] = "import",
    by: str | None = None,
    skip_unknown: bool = False,
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Take labels from a file: all of them or none; the same file twice adds nothing.

    The file is CSV, JSON lines (.jsonl) or Parquet with the columns request_id, label (real, fake,
    cannot tell; 0, 1, -1) and by; note and time (2026-01-31T09:00:00Z) may be there. What is known
    of requests that somebody picked says nothing about the others: figures of a version's quality
    rest on reviews alone.

    Args:
        file: the file.
        source: 'review' for opinions on requests that were drawn, which are in the queue; 'import'
            for what is known of any.
        by: who says so, in rows that name nobody.
        skip_unknown: pass over requests that the log does not hold, as those that were erased.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print what came of it as JSON, and nothing else.
    """
    from deepfake_lightning.monitoring.review.importing import import_labels
    from deepfake_lightning.monitoring.review.labels_file import read_labels

    path = Path(file)
    read = read_labels(path, by)
    _check_rows(path, read)
    with opened_log(log, workspace) as opened:
        done = import_labels(
            opened, read.rows, source=source, now_us=now_us(), pass_over=skip_unknown
        )
        name = opened.name
    if done.undrawn:
        raise _refused(
            path, f"{len(done.undrawn):,} requests that were not drawn for review", done.undrawn,
            "figures are weighted by the chance to be drawn; those picked by hand had none",
            "take them out, or pass --source import",
        )  # fmt: skip
    if done.faults:
        _check_rows(path, done)
    if done.unknown and not done.written:
        raise _refused(
            path, f"{len(done.unknown):,} requests that {name} does not hold", done.unknown,
            "an id with a mistake in it would be lost without a word",
            "check the ids; --skip_unknown true passes over them",
        )  # fmt: skip
    if json:
        record = {"schema": 1, "added": done.added, "known": done.known, "empty": read.empty,
                  "unknown": list(done.unknown)}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    lines = [f"{path}: {done.added:,} labels added, {done.known:,} known already"]
    if read.empty:
        lines.append(f"{read.empty:,} rows have no label yet")
    if done.unknown:
        lines.append(f"{len(done.unknown):,} requests are unknown: {_some(done.unknown)}")
    after = "feedback list" if source == "review" else "log show"
    say(Console(), [*lines, f"next: deepfake-lightning {after}"])


def item_record(item: ReviewItem) -> dict[str, Any]:
    """Return a request of the queue as plain JSON types; what the detector said only once done."""
    done = item.state == "done"
    return {
        "request_id": item.request_id,
        "came": moment(item.ts_us),
        "environment": item.environment,
        "version": item.version,
        "media_type": item.media_type,
        "state": item.state,
        "stratum": item.stratum if done else None,
        "probability": item.probability if done else None,
        "verdict": item.verdict if done else None,
        "score": item.score if done else None,
        "opinions": [
            {"label": one.label, "by": one.by, "note": one.note, "time": moment(one.ts_us)}
            for one in item.opinions
        ]
        if done
        else None,
        "media": str(item.media) if item.media else None,
    }


def counted(counts: dict[Any, int]) -> str:
    """Return how many requests are in each state, in words."""
    waits = counts["waiting"] + counts["second"] + counts["disagreement"]
    return (f"{waits:,} wait: {counts['waiting']:,} for a first opinion, {counts['second']:,} for a"
            f" second, {counts['disagreement']:,} for one that decides; {counts['done']:,} are"
            " done")  # fmt: skip


_counted = counted


def _table(found: Sequence[ReviewItem]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("request", "came (UTC)", "version", "kind", "wants", "judged"):
        table.add_column(head, no_wrap=True)
    for one in found:
        table.add_row(one.request_id, moment(one.ts_us)[5:16].replace("T", " "),
                      Text(printable(one.version)), one.media_type or "", STATE_WORDS[one.state],
                      f"{len(one.opinions)} times" if one.opinions else "")  # fmt: skip
    return table


def _planned(work: Workload | None, rate: float) -> str:
    if work is None:
        return "no traffic in the last 7 days: how many reviews a day the policy means is not known"
    hours = max(1, round(24 * work.days))
    told = f"{work.days:.0f} days" if hours >= 48 else f"{hours} hours" if hours > 1 else "hour"
    return (f"the policy's rate of {rate:g} means about {work.opinions:,.0f} reviews a day, with"
            f" the traffic of the last {told}")  # fmt: skip


def _next(found: Sequence[ReviewItem], out: str | None, env: str | None) -> list[str]:
    if out is not None:
        return [f"{out}: {len(found):,} requests; fill in label (real, fake, cannot tell) and by",
                f"next: deepfake-lightning feedback import {out} --source review"]  # fmt: skip
    if not found:
        return ["nothing waits; `deepfake-lightning serve` draws requests as they come"]
    only = f" --env {env}" if env else ""
    return [f"next: deepfake-lightning feedback review --by NAME{only}"]


def _write(path: Path, found: Sequence[ReviewItem]) -> None:
    with atomic_write(path, "w") as file:
        writer = csv.DictWriter(file, _OUT, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for one in found:
            writer.writerow({**item_record(one), "label": "", "by": "", "note": ""})


def _check_rows(path: Path, read: LabelsFile | Any) -> None:
    if read.faults:
        shown = [f"line {place}: {fault}" for place, fault in read.faults[:_SHOWN_FAULTS]]
        more = len(read.faults) - len(shown)
        raise DataError(
            "\n  ".join([f"{path} has {len(read.faults):,} rows that cannot be taken:", *shown]
                        + ([f"and {more:,} more"] if more else [])),
            why="nothing of the file was taken",
            next_step="correct them, then run the command again",
        )  # fmt: skip


def _refused(path: Path, what: str, ids: Sequence[str], why: str, advice: str) -> DataError:
    return DataError(f"{path} names {what}: {_some(ids)}", why=f"nothing of it was taken: {why}",
                     next_step=advice)  # fmt: skip


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN_FAULTS:,} more" if len(ids) > _SHOWN_FAULTS else ""
    return ", ".join(ids[:_SHOWN_FAULTS]) + more


def now_us() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return round(datetime.now(UTC).timestamp() * 1_000_000)


def moment(ts_us: int) -> str:
    """Return a time as RFC 3339 has it, in whole seconds, UTC."""
    return datetime.fromtimestamp(ts_us / 1e6, UTC).isoformat(timespec="seconds")[:19] + "Z"
