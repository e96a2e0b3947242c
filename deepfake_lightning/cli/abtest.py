"""``abtest start``, ``status``, ``stop``, ``promote``, ``list``: which of several is better."""

from __future__ import annotations

import sys
from json import dumps
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace, atomic_write

if TYPE_CHECKING:
    from datetime import datetime

    from deepfake_lightning.deployment.environment import Environment
    from deepfake_lightning.deployment.experiments import Experiment, ExperimentDecision

ALARM = 4


def start(
    *versions: str,
    env: str = "production",
    mode: Literal["share", "shadow"] = "share",
    share: float | None = None,
    name: str | None = None,
    policy: str | None = None,
    reason: str = "",
    force: bool = False,
    by: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Start an A/B test: versions against the one that serves, which is the control.

    With shares each version answers its part of the requests, the same one for an X-Client-Key. In
    the shadow the control answers all, the others score the same requests after the answer, and
    far fewer labels are needed to tell them apart. Interrupted, what served before goes on.

    Args:
        versions: to try, one or more; outside staging each has to have passed a gate.
        env: the environment.
        mode: 'share' or 'shadow'.
        share: of the requests for each of them, 0.1 (default: the same for all, control included).
        name: of the test; it deals the clients anew (default: made of the versions).
        policy: YAML file with the rules (default: deployment/policy/abtest.yaml in the workspace,
            or those of configs/abtest.yaml).
        reason: why, for the history.
        force: take versions that passed no gate, which needs a reason.
        by: who starts it (default: the user of this process).
        workspace: where the workspace is (default: mlops).
        json: print what was set up as JSON, and nothing else.
    """
    from deepfake_lightning.deployment import experiments

    place = Workspace.find(workspace)
    rules = experiments.policy_of(place, policy)
    wish = experiments.Start(versions, env, mode, share, name, rules, reason, force, by)
    made, change = experiments.start(place, wish)
    if json:
        record = {**made.model_dump(mode="json", by_alias=True), "change": change.hash}
        sys.stdout.write(dumps(record) + "\n")
        return
    shares = ", ".join(f"{one.version} {one.share:.4g}" for one in made.arms)
    if mode == "shadow":
        shares = f"{made.control} answers, {', '.join(made.challengers)} in the shadow"
    lines = [f"{made.name} runs in {env}: {shares} (record {change.number})"]
    if made.untried:
        lines.append(f"note: {', '.join(made.untried)} passed no gate")
    lines.append(f"labels of {' and '.join(rules.sources)} decide it; a label tells what a request "
                 "really was")  # fmt: skip
    say(Console(), [*lines, f"next: deepfake-lightning abtest status --env {env}"])


def status(
    name: str | None = None,
    env: str = "production",
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Say what an A/B test has shown so far, and write its page; look as often as you like.

    Without labels it says what is missing, and never a verdict. Exit codes: 0 whatever it says; 4
    it should be stopped, as a guard-rail is broken or the split is off; 2 wrong use, 1 the
    machine's fault.

    Args:
        name: of the test (default: the one that runs, or the last one).
        env: the environment.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print everything as JSON, and nothing else.
    """
    from deepfake_lightning.cli.abtest_summary import print_experiment
    from deepfake_lightning.deployment.experiments.experiment import path_of
    from deepfake_lightning.deployment.experiments.page import experiment_page

    environment, experiment = _of(name, env, workspace)
    console = Console(stderr=json)
    found, _ = _judged(environment, experiment, log, console)
    page = path_of(environment.workspace, experiment.name).with_suffix(".html")
    with atomic_write(page, "w") as file:
        file.write(experiment_page(found))
    if json:
        sys.stdout.write(dumps({**found.to_dict(), "page": str(page)}) + "\n")
    else:
        print_experiment(console, found, page)
    return ALARM if found.state == "runs" and found.alarms else 0


def stop(
    name: str | None = None,
    env: str = "production",
    reason: str = "",
    keep: str | None = None,
    by: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
) -> None:
    """End an A/B test: the control has all the traffic again. What was known is kept.

    Args:
        name: of the test (default: the one that runs).
        env: the environment.
        reason: why; there has to be one.
        keep: the control, to be sure of it; another version goes through `abtest promote`.
        by: who stops it (default: the user of this process).
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.deployment import experiments

    if not reason.strip():
        raise UsageError(
            "an experiment is ended for a reason",
            why="whoever looks at the history later wants to know it",
            next_step='pass --reason "why"',
        )
    environment, experiment = _of(name, env, workspace)
    experiments.check_stop(environment, experiment, keep)
    console = Console()
    found, now = _judged(environment, experiment, log, console)
    folder = experiments.keep_decision(environment.workspace, found, now)
    change = experiments.stop(
        environment, experiment, reason, keep=keep, by=by, decision=folder
    )  # fmt: skip
    say(
        console,
        [f"{experiment.name} is ended; {env} serves {experiment.control} (record {change.number})",
         *(one.says for one in found.challengers),
         f"page: {near(folder / 'page.html')}",
         f"next: deepfake-lightning abtest start VERSION --env {env}"],
    )  # fmt: skip


def promote(
    *versions: str,
    name: str | None = None,
    env: str = "production",
    reason: str = "",
    force: bool = False,
    policy: str | None = None,
    data: str | None = None,
    by: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Give the winner of an A/B test all the traffic, if the gate lets it through.

    The test goes on while the gate looks, and where it says no. Exit codes: 0 promoted; 4 the gate
    says no; 2 wrong use (also: there is no winner yet), 1 the machine's fault, 130 interrupted.

    Args:
        versions: the challenger (default: the one that is better).
        name: of the test (default: the one that runs).
        env: the environment.
        reason: why, for the history (default: the verdict).
        force: promote it whatever test and gate say, which needs a reason.
        policy: YAML file with the gate's rules (default: as `deploy` has it).
        data: a manifest with a gate split (default: as `deploy` has it).
        by: who promotes it (default: the user of this process).
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, or one in the workspace).
        workspace: where the workspace is (default: mlops).
        json: print the gate's decision as JSON, and nothing else.
    """
    from deepfake_lightning.cli.deploy_summary import print_deployment
    from deepfake_lightning.deployment import experiments
    from deepfake_lightning.deployment.deploying import Wish
    from deepfake_lightning.deployment.gate.reading import policy_for

    if force and not reason.strip():
        raise UsageError("--force needs a reason", next_step='pass --reason "why"')
    if len(versions) > 1:
        raise UsageError("one version gets all the traffic", next_step="name one, or none")
    environment, experiment = _of(name, env, workspace)
    place = environment.workspace
    rules, policy_from = policy_for(place, policy)
    console = Console(stderr=json)
    found, now = _judged(environment, experiment, log, console)
    chosen = versions[0] if versions else experiments.winner_of(found)
    experiments.check_promotion(environment, experiment, found, chosen, force=force)
    kept = experiments.keep_decision(place, found, now)
    wish = Wish(
        chosen, experiment.environment, rules, reason, force, by, data, event="promote",
        policy_from=policy_from,
    )  # fmt: skip
    with steps(console) as progress:
        done = experiments.promote(place, experiment, found, wish, progress=progress)
    if json:
        change = done.change and done.change.model_dump(mode="json", by_alias=True)
        record = {**done.decision.to_dict(), "folder": str(done.folder), "change": change,
                  "experiment": str(kept)}  # fmt: skip
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        print_deployment(console, done)
        say(console, [f"what the test said: {near(kept / 'page.html')}"])
    return ALARM if done.decision.outcome == "refused" else 0


def list_tests(workspace: str | None = None, json: bool = False) -> None:
    """List the A/B tests that there were: which versions, since when, and how they ended.

    Args:
        workspace: where the workspace is (default: mlops).
        json: print them as JSON, and nothing else.
    """
    from deepfake_lightning.cli.abtest_summary import list_table, listed
    from deepfake_lightning.deployment.environment import Environment
    from deepfake_lightning.deployment.experiments import every, run_of

    place = Workspace.find(workspace)
    found = [(one, run_of(one, Environment(place, one.environment))) for one in every(place)]
    if json:
        sys.stdout.write(dumps({"experiments": [listed(*one) for one in found]}) + "\n")
        return
    console = Console()
    if not found:
        say(console, [f"there was no A/B test in {near(place.root)}",
                      "next: deepfake-lightning abtest start VERSION"])  # fmt: skip
        return
    console.print(list_table(found))
    say(console, [f"next: deepfake-lightning abtest status --name {found[-1][0].name}"
                  f" --env {found[-1][0].environment}"])  # fmt: skip


def _of(name: str | None, env: str, workspace: str | None) -> tuple[Environment, Experiment]:
    from deepfake_lightning.deployment.environment import Environment
    from deepfake_lightning.deployment.experiments.experiment import chosen

    environment = Environment(Workspace.find(workspace), env)
    experiment = chosen(environment, name)
    return Environment(environment.workspace, experiment.environment), experiment


def _judged(
    environment: Environment, experiment: Experiment, log: str | None, console: Console
) -> tuple[ExperimentDecision, datetime]:
    from deepfake_lightning.deployment.environment import utc_now
    from deepfake_lightning.deployment.experiments import status
    from deepfake_lightning.monitoring.log import existing_log

    place = environment.workspace.prediction_log(log)
    now = utc_now()
    with console.status("reading the prediction log"), existing_log(place) as there:
        return status(environment, experiment, there, now), now
