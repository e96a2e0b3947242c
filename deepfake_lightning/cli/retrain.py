"""``retrain``: train again where production asks for it, and bring what comes of it to staging."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from json import dumps
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from deepfake_lightning.cli.dispatch import INTERRUPTED
from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import BusyError, DeepfakeLightningError, UsageError
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.retraining.looking import Setting
    from deepfake_lightning.retraining.loop import Ended

logger = logging.getLogger(__name__)

NO_FAULTS = (3, 4, BusyError.exit_code)
_LATE_SECONDS = 3600


def retrain(
    env: str = "production",
    reason: str | None = None,
    dry_run: bool = False,
    watch: bool = False,
    every: float = 10.0,
    fresh: bool = False,
    only_faults: bool = False,
    policy: str | None = None,
    by: str | None = None,
    workers: int | None = None,
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Train the version that serves again, if production asks for it, and bring it to staging.

    It looks once: audited labels say that it has become worse, drift is confirmed, there are enough
    new labels or files, or the calendar says so; a reason is a cause of its own. Then it collects
    new labelled media, adds them to the training's data, trains, registers the next version, holds
    it against the old one (on the test split, and on new items that were not trained on), and
    deploys it to staging, or further as the policy says. What serves goes on until then, and
    whatever fails. Interrupted or killed, the next call goes on where it was; killed five times at
    one step, it is given up. A loop that fails or is refused is an alert, which `alerts list` shows
    and its channels are told, until one comes to its end.

    Where the policy takes a version on from staging, nothing is trained while a canary or an A/B
    test is under way.

    Media that were collected stay with a loop that is done: its version was trained on them. They
    are removed where a loop is refused or fails for good, and of requests that were erased.

    It is meant for a timer: configs/retrain.service and configs/retrain.timer are units for
    systemd; for cron, each hour at 7 past, it is
    `7 * * * * cd /srv/detector && .venv/bin/deepfake-lightning retrain >> retrain.log 2>&1`;
    scripts/orchestration/prefect_flow.py is a flow of Prefect. --watch stays up and looks by
    itself.

    Exit codes: 0 a new version came of it; 1 it failed, which the next call goes on from where it
    can; 2 wrong use, or nothing serves; 3 nothing to do; 4 the new version is not good enough, or
    the gate refused it; 75 another one is at work; 130 interrupted. With --dry_run 0, whatever is
    found. With --json the document's `outcome` says the same; --dry_run and each look of --watch
    print what they found instead.

    Args:
        env: the environment whose version is trained again.
        reason: train in any case, and why.
        dry_run: say what would be done and why, and change nothing.
        watch: stay, and look again and again.
        every: minutes from one look to the next, with --watch.
        fresh: begin anew, where an earlier training was interrupted or failed.
        only_faults: exit with 0 for 3, 4 and 75, too: for schedulers that know no codes, such as
            Kubernetes.
        policy: YAML file with the rules (default: retraining/policy/retrain.yaml in the workspace,
            or those of configs/retrain.yaml).
        by: who asks for it (default: the user of this process).
        workers: processes (default: as many as there are cores).
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, else
            monitoring/predictions.db in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print one JSON document and nothing else: outcome, reasons, loop, versions, steps,
            paths, error.
    """
    console, place = Console(stderr=json), Workspace.find(workspace)
    with _told(place, env, json) as ended:
        _check(reason, dry_run, watch, every, fresh)
        ask = partial(_setting, place, env, policy, by, workers, log)
        setting = ask()
        if dry_run:
            _dry(console, setting, reason, json)
        elif watch:
            ended.code = _watch(console, ask, env, every, json)
        else:
            signal.signal(signal.SIGTERM, _interrupt)  # of a scheduler that stops what it started
            ended.began = True
            found = _retrained(console, setting, reason, fresh)
            ended.code = _tell(console, found, setting, json)
    return 0 if only_faults and ended.code in NO_FAULTS else ended.code


@dataclass
class _Ended:
    """How a call ends, and whether it came as far as a loop."""

    code: int = 0
    began: bool = False


@contextmanager
def _told(place: Workspace, env: str, json: bool) -> Iterator[_Ended]:
    """Say what an error was, as text and as JSON, and turn it into an exit code."""
    from deepfake_lightning.cli import retrain_outcome as outcomes

    ended, before = _Ended(), outcomes.latest(place, env)
    try:
        yield ended
    except (Exception, KeyboardInterrupt) as error:
        after = outcomes.latest(place, env) if ended.began else before
        came_to = outcomes.outcome_of_error(error, before, after)
        if json:
            own = after if after != before and came_to != "busy" else None
            _write(outcomes.document(place, env, came_to, loop=own, error=error))
        ended.code = outcomes.EXIT_CODES[came_to]
        if isinstance(error, DeepfakeLightningError):
            say(Console(stderr=True), [f"error: {error}"])
        elif isinstance(error, KeyboardInterrupt):
            say(Console(stderr=True), [
                "interrupted: what serves is as it was, and what is done is kept",
                f"next: deepfake-lightning retrain --env {env}, which goes on",
            ])  # fmt: skip
        else:
            raise


def _dry(console: Console, setting: Setting, reason: str | None, json: bool) -> None:
    from deepfake_lightning.cli import retrain_summary as summary
    from deepfake_lightning.retraining.looking import look

    with steps(console) as progress:
        found = look(_with(setting, progress), reason)
    if json:
        _write(summary.look_record(found))
    else:
        summary.print_look(console, found, setting)


def _check(reason: str | None, dry_run: bool, watch: bool, every: float, fresh: bool) -> None:
    if reason is not None and not reason.strip():
        raise UsageError(
            "--reason is empty",
            why="whoever reads the history has to understand why it was trained",
            next_step='--reason "a new forgery"',
        )
    if watch and (dry_run or fresh or reason is not None):
        raise UsageError(
            "--watch looks by itself, and takes neither --reason, --fresh nor --dry_run",
            next_step="run the command once without --watch",
        )
    if not 0 < every <= 24 * 60:
        raise UsageError(f"--every is {every:g}", next_step="give minutes, a day at most")


def _setting(
    place: Workspace, env: str, policy: str | None, by: str | None, workers: int | None,
    log: str | None,
) -> Setting:  # fmt: skip
    from deepfake_lightning.cli.process import missing_settings
    from deepfake_lightning.retraining.looking import Setting
    from deepfake_lightning.retraining.policy import EXAMPLE, RetrainPolicy, policy_of
    from deepfake_lightning.schemas.policy_file import read_policy

    rules = policy_of(place) if policy is None else read_policy(policy, RetrainPolicy, EXAMPLE)
    return Setting(place, env, place.prediction_log(log), rules, by, workers, missing_settings())


def _with(setting: Setting, progress: Callable[[str, int, int], None]) -> Setting:
    from dataclasses import replace

    return replace(setting, progress=progress)


def _retrained(console: Console, setting: Setting, reason: str | None, fresh: bool) -> Ended:
    from deepfake_lightning.retraining.loop import retrain as retrained

    with steps(console) as progress:
        return retrained(_with(setting, progress), reason, fresh=fresh)


def _tell(console: Console, found: Ended, setting: Setting, json: bool) -> int:
    """Say what a call came to; return its exit code."""
    from deepfake_lightning.cli import retrain_outcome as outcomes
    from deepfake_lightning.cli import retrain_summary as summary

    came_to = outcomes.outcome_of(found)
    if json:
        place, environment = setting.workspace, setting.environment
        _write(outcomes.document(place, environment, came_to, found=found))
    else:
        summary.print_ended(console, found, setting)
    return outcomes.EXIT_CODES[came_to]


def _write(record: dict[str, Any]) -> None:
    sys.stdout.write(dumps(record) + "\n")
    sys.stdout.flush()


def _watch(console: Console, ask: Callable[[], Setting], env: str, every: float, json: bool) -> int:
    """Look now and after each pause, here in the main thread, where signals arrive."""
    from apscheduler.schedulers.background import BackgroundScheduler

    due = threading.Event()
    due.set()
    scheduler = BackgroundScheduler(
        timezone="UTC",
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": _LATE_SECONDS},
    )
    scheduler.add_job(due.set, "interval", minutes=every)
    signal.signal(signal.SIGTERM, _interrupt)
    scheduler.start()
    say(console, [f"looking each {every:g} minutes at {env}; what has not changed "
                  "is not said again; Ctrl-C ends it"])  # fmt: skip
    said = ""
    try:
        while True:
            due.wait()
            due.clear()
            said = _attempt(console, ask, json, said)
    except KeyboardInterrupt:
        say(console, ["ended: what is done of a training is kept, and the next one goes on"])
        return INTERRUPTED
    finally:
        scheduler.shutdown(wait=False)


def _attempt(console: Console, ask: Callable[[], Setting], json: bool, before: str) -> str:
    """Look once; what fails is said, and looked at again the next time.

    Args:
        console: for what is said.
        ask: where and how, by the policy as it is now.
        json: print each look as JSON.
        before: what the look before came to: the same is not said again.

    Returns:
        What this one came to.
    """
    from deepfake_lightning.cli import retrain_summary as summary

    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    try:
        setting = ask()
        found = _retrained(console, setting, None, False)
        came_to = summary.in_words(found, setting)
        if json or came_to != before:
            say(console, [now])
            _tell(console, found, setting, json)
    except DeepfakeLightningError as error:
        came_to = f"error: {error}"
        if came_to != before:
            say(Console(stderr=True), [now, came_to])
    except Exception as error:  # a watch that ends by one fault is a watch that nobody keeps
        came_to = repr(error)
        logger.exception("this look failed; the next one is made all the same")
    return came_to


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
