"""What earlier deployments of the workspace have shown of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from deepfake_lightning.deployment.acts import ChangeRecord
from deepfake_lightning.deployment.environment import Environment
from deepfake_lightning.deployment.gate.decision import FILE
from deepfake_lightning.deployment.gate.evidence import ServerTrial, Staging
from deepfake_lightning.deployment.gate.policy import Integration
from deepfake_lightning.deployment.history import content_hash
from deepfake_lightning.deployment.integration.report import IntegrationCheck
from deepfake_lightning.registry.aliases import read_environments
from deepfake_lightning.storage import Workspace

_STAGING = "staging"


def seen_in_staging(workspace: Workspace, version: str, digest: str | None) -> Staging:
    """Return whether a version serves in staging, or was deployed there with a tested server.

    Raises:
        DeploymentError: the history is damaged.
    """
    passed = [
        change.at
        for change, record in _decisions(workspace, _STAGING, digest)
        if tested_in(record, change) is not None
    ]
    serves = version in Environment(workspace, _STAGING).record().versions
    return Staging(serves, passed[-1] if passed else None)


def recorded_tests(
    workspace: Workspace, digest: str | None, now: datetime, rule: Integration
) -> ServerTrial | None:
    """Return the last integration tests that a bundle has passed for a deployment.

    They are not older than the policy has it, and were made with the same limits.

    Raises:
        DeploymentError: the history is damaged.
    """
    found = [
        tested
        for name in read_environments(workspace.environments)
        for change, record in _decisions(workspace, name, digest)
        if (tested := tested_in(record, change)) is not None
        and record["policy"]["integration"]["plan"] == asdict(rule.plan)
    ]
    oldest = now - timedelta(days=rule.recorded_days)
    young = [one for one in found if datetime.fromisoformat(one.at) >= oldest]
    return max(young, key=lambda one: one.at, default=None)


def tested_in(record: dict[str, Any], change: ChangeRecord) -> ServerTrial | None:
    """Return the integration tests that a decision rests on, None where they were not passed."""
    try:
        tested = record["tested"]
        found = ServerTrial(
            tuple(IntegrationCheck(**one) for one in tested["checks"]), tuple(tested["not_run"]),
            tuple(tested["notes"]), tested["seconds"], tested["at"],
            tested["recorded"] or _folder(change),
        )  # fmt: skip
    except (KeyError, TypeError):  # none were made
        return None
    return found if found.passed else None


def _decisions(
    workspace: Workspace, environment: str, digest: str | None
) -> Iterator[tuple[ChangeRecord, dict[str, Any]]]:
    """Yield the deployments of a bundle that took place, each with the decision it rests on.

    A decision that is not what the history says it was counts for nothing.
    """
    if digest is None:
        return
    for change in Environment(workspace, environment).history.done(environment):
        if change.decision is None:
            continue
        folder = workspace.deployment / change.decision.path
        try:
            if content_hash(folder) != change.decision.sha256:
                continue
            record = json.loads((folder / FILE).read_text("utf-8"))
            if record["candidate"]["digest"] == digest:
                yield change, record
        except (OSError, ValueError, TypeError, KeyError):
            continue  # another kind of decision


def _folder(change: ChangeRecord) -> str:
    assert change.decision is not None
    return change.decision.path
