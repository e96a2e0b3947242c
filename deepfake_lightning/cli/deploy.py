"""``deploy``: a version into an environment, if the gate lets it through."""

from __future__ import annotations

import sys
from json import dumps

from rich.console import Console

from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

REFUSED = 4


def deploy(
    version: str,
    env: str = "staging",
    reason: str = "",
    force: bool = False,
    policy: str | None = None,
    data: str | None = None,
    canary: bool = False,
    allow_licence: list[str] | None = None,
    dry_run: bool = False,
    by: str | None = None,
    workers: int | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Deploy a version, if it is better than what serves now and a server of it works.

    The gate holds it against what serves now on the same gate split (a look that is counted), asks
    for floors, calibration, licences, speed and size, and starts a real server of it. The decision
    is kept with a page, also where it is no. Interrupted, what served before goes on. Exit codes:
    0 deployed, or it serves there already; 4 the gate says no; 2 wrong use, 1 the machine's fault,
    130 interrupted.

    Args:
        version: of the registry, v1.1.0; or latest, or an environment: staging.
        env: where it is to serve: staging, then production (default: staging).
        reason: why, for the history.
        force: deploy it although the gate says no, which needs a reason. A damaged bundle, or one
            whose server does not work, is not deployed at all.
        policy: YAML file with the gate's rules (default: deployment/policy/gate.yaml in the
            workspace, or those of configs/gate.yaml).
        data: a manifest with a gate split (default: that of the candidate's training, or of what
            serves now).
        canary: begin with a small share of the traffic, by deployment/policy/canary.yaml.
        allow_licence: licences of training data that are let through, as they are spelt.
        dry_run: decide, and change nothing; the gate split is looked at all the same.
        by: who deploys it (default: the user of this process).
        workers: processes that score (default: as many as there are cores).
        workspace: where the workspace is (default: mlops).
        json: print the decision as JSON, and nothing else.
    """
    from deepfake_lightning.cli.deploy_summary import print_deployment
    from deepfake_lightning.deployment.deploying import Wish
    from deepfake_lightning.deployment.deploying import deploy as deployed
    from deepfake_lightning.deployment.gate.reading import policy_for

    place = Workspace.find(workspace)
    rules, policy_from = policy_for(place, policy)
    rollout = None
    if canary:
        from deepfake_lightning.deployment.canary.policy import policy_of

        rollout = policy_of(place)
    wish = Wish(
        version, env, rules, reason, force, by, data, rollout,
        licences=tuple(allow_licence or ()), policy_from=policy_from, dry_run=dry_run,
        workers=workers,
    )  # fmt: skip
    console = Console(stderr=json)
    with steps(console) as progress:
        found = deployed(place, wish, progress=progress)
    if json:
        change = found.change and found.change.model_dump(mode="json", by_alias=True)
        record = {**found.decision.to_dict(), "folder": str(found.folder), "change": change}
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        print_deployment(console, found)
    return REFUSED if found.decision.outcome == "refused" else 0
