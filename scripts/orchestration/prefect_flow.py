"""Retraining as a flow of Prefect 3, which starts the command and keeps what it came to.

Prefect goes into an environment of its own: it only runs the command. On the machine of the
workspace::

    python -m venv /srv/prefect && /srv/prefect/bin/pip install 'prefect>=3.4,<4'
    cd /srv/detector
    /srv/prefect/bin/python scripts/orchestration/prefect_flow.py --cron '7 * * * *'

That serves the flow until it is ended; ``PREFECT_API_URL`` names a Prefect server that stays up.
Without ``--cron`` it runs once, and ends with the command's exit code.

======================  =============================================================
exit code of `retrain`  state of the flow
======================  =============================================================
0 a new version         Completed
3 nothing to do         Completed, named ``Skipped``
4 refused               Failed, named ``Refused``: not tried again, a person has to look
75 another is at work   tried again (``--patience`` times, ``--pause`` seconds apart)
1, 2 and all else       Failed
======================  =============================================================

The command's JSON document is the flow's result and an artifact. A flow that fails is told to
``$RETRAIN_WEBHOOK``, as JSON; the command tells its own alerts (``configs/alerts.yaml``) by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from typing import Any

# Before Prefect is imported, which would tell its makers.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Of the server that Prefect starts where none is named: twenty are too few on a busy machine.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")

import httpx
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, Failed, State

COMMAND = ".venv/bin/deepfake-lightning retrain --env production"
DONE, NOTHING_TO_DO, REFUSED, BUSY = 0, 3, 4, 75


class Busy(Exception):
    """Another retraining is at work in the workspace."""


def is_busy(task: Any, run: Any, state: State) -> bool:
    """Return whether a call is to be made again."""
    return isinstance(state.result(raise_on_failure=False), Busy)


@task(retry_condition_fn=is_busy, persist_result=True)
def call(command: str) -> dict[str, Any]:
    """Run the command; return its JSON document, with its exit code.

    Raises:
        Busy: another one is at work.
    """
    logger = get_run_logger()
    words = [*shlex.split(command), "--json", "true"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, said = process.communicate()
    except BaseException:  # cancelled: the command keeps what is done of a training
        process.terminate()
        process.communicate()
        raise
    for line in said.splitlines():
        logger.info(line)
    if process.returncode == BUSY:
        raise Busy(said.strip())
    try:
        return {**json.loads(out), "exit_code": process.returncode}
    except ValueError:  # a flag that the command does not know: it says so on stderr alone
        return {"exit_code": process.returncode, "outcome": "failed", "reasons": [said.strip()]}


def tell(flow: Any, run: Any, state: State) -> None:
    """Tell of a flow that failed."""
    url = os.environ.get("RETRAIN_WEBHOOK")
    if url:
        said = {"flow": flow.name, "run": run.name, "state": state.name, "message": state.message}
        httpx.post(url, json=said, timeout=10).raise_for_status()


@flow(name="retrain", persist_result=True, on_failure=[tell], on_crashed=[tell])
def retrain(command: str = COMMAND, patience: int = 6, pause: float = 600.0) -> State:
    """Look once whether to train again, and do it.

    Args:
        command: as in a shell, without ``--json``.
        patience: how often it is tried again while another one is at work.
        pause: seconds between two tries.
    """
    try:
        record = call.with_options(retries=patience, retry_delay_seconds=pause)(command)
    except Busy as error:
        return Failed(name="Busy", message=str(error), data={"exit_code": BUSY})
    text = f"```json\n{json.dumps(record, indent=2)}\n```"
    create_markdown_artifact(text, key="retrain", description=str(record.get("outcome")))
    why = "; ".join(record.get("reasons", []))
    if record["exit_code"] == DONE:
        return Completed(message=why, data=record)
    if record["exit_code"] == NOTHING_TO_DO:
        return Completed(name="Skipped", message=why, data=record)
    name = "Refused" if record["exit_code"] == REFUSED else "Failed"
    return Failed(name=name, message=why, data=record)


def main() -> int:
    """Serve the flow by the clock, or run it once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--command", default=COMMAND, help=f"(default: {COMMAND})")
    parser.add_argument("--cron", help="serve the flow at these times, '7 * * * *'")
    parser.add_argument("--patience", type=int, default=6, help="tries while busy (default: 6)")
    parser.add_argument("--pause", type=float, default=600.0, help="seconds between (default: 600)")
    args = parser.parse_args()
    given = {"command": args.command, "patience": args.patience, "pause": args.pause}
    if args.cron:
        retrain.serve(name="by the clock", cron=args.cron, parameters=given, limit=1)
        return 0
    state = retrain(**given, return_state=True)
    print(f"{state.name}: {state.message}")
    found = state.result(raise_on_failure=False)
    return int(found["exit_code"]) if isinstance(found, dict) else 1


if __name__ == "__main__":
    sys.exit(main())
