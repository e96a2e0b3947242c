"""What the figures of an environment are taken from."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.alerts.records import Alert
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.schemas.environment import read_environment
from deepfake_lightning.storage import Workspace


@dataclass(frozen=True)
class Source:
    """What figures are taken from.

    Attributes:
        workspace: whose.
        environment: whose requests.
        log: the prediction log, open.
        now_us: the time, microseconds since 1970, UTC.
        serving: the versions that answer there; None where that is not known.
        behind: whether the log has not all that was answered.
        alerts: that are pending or fire.
    """

    workspace: Workspace
    environment: str
    log: PredictionLog
    now_us: int
    serving: frozenset[str] | None
    behind: bool
    alerts: tuple[Alert, ...] = ()


def versions_serving(workspace: Workspace, environment: str) -> frozenset[str] | None:
    """Return the versions that answer in an environment; None where its file does not tell."""
    path = workspace.environments / f"{environment}.json"
    try:
        if not path.is_file():
            return None
        return frozenset(one.version for one in read_environment(path).serving if one.share > 0)
    except (UsageError, OSError):
        return None
