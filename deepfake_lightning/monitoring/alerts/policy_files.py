"""The alert policy of a workspace: all YAML files of ``monitoring/alerts``, together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.alerts.history import folder_of
from deepfake_lightning.monitoring.alerts.policy import AlertPolicy
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

EXAMPLE = "configs/alerts.yaml"


def policy_files(workspace: Workspace) -> list[Path]:
    """Return the files in which a workspace's policy stands, by name."""
    folder = folder_of(workspace)
    return sorted(path for end in ("yaml", "yml") for path in folder.glob(f"*.{end}"))


def policy_of(workspace: Workspace) -> AlertPolicy:
    """Return the policy of a workspace.

    The rules of all files are taken together, and so are their channels. Where no file has rules,
    the default ones hold; likewise channels.

    Raises:
        UsageError: a file cannot work, or a name stands in two of them.
    """
    merged: dict[str, list[Any]] = {}
    where: dict[tuple[str, str], Path] = {}
    for path in policy_files(workspace):
        policy = read_policy(path, AlertPolicy, EXAMPLE)
        for part in sorted(policy.model_fields_set):
            for one in getattr(policy, part):
                first = where.setdefault((part, one.name), path)
                if first != path:
                    raise UsageError(
                        f"{part[:-1]} {one.name} stands in {first} and in {path}",
                        why="which of them holds would depend on the files' names",
                        next_step="take one of them out, or call it otherwise",
                    )
            merged.setdefault(part, []).extend(getattr(policy, part))
    policy = AlertPolicy(**{part: tuple(found) for part, found in merged.items()})
    _check_channels(policy)
    return policy


def _check_channels(policy: AlertPolicy) -> None:
    there = {channel.name for channel in policy.channels}
    for rule in policy.rules:
        for name in rule.channels or ():
            if name not in there:
                raise UsageError(
                    f"the rule {rule.name} names the channel {name}, which there is not",
                    why="nobody would be told",
                    next_step=f"there are {', '.join(sorted(there)) or 'none'}; {EXAMPLE} shows "
                    "how channels are written",
                )
