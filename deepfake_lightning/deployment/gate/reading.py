"""Where a gate's policy comes from: a file that was named, the workspace's own, or the defaults."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "gate.yaml"
EXAMPLE = "configs/gate.yaml"


def policy_for(workspace: Workspace, path: str | Path | None = None) -> tuple[GatePolicy, str]:
    """Return the policy that holds, and where it comes from, in words.

    Args:
        workspace: whose ``deployment/policy/gate.yaml`` it is, where there is one.
        path: of another file, instead.

    Raises:
        UsageError: the file cannot be read, or a key or value of it cannot work.
    """
    if path is not None:
        return read_policy(path, GatePolicy, EXAMPLE), str(path)
    own = workspace.deployment / "policy" / FILE
    if own.is_file():
        return read_policy(own, GatePolicy, EXAMPLE), str(own)
    return GatePolicy(), "the defaults"
