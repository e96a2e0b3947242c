"""Where a gate's policy comes from: a file that was named, the workspace's own, or the defaults."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

FILE = "gate.yaml"
_EXAMPLE = "configs/gate.yaml is an example, with all defaults"


def policy_for(workspace: Workspace, path: str | Path | None = None) -> tuple[GatePolicy, str]:
    """Return the policy that holds, and where it comes from, in words.

    Args:
        workspace: whose ``deployment/policy/gate.yaml`` it is, where there is one.
        path: of another file, instead.

    Raises:
        UsageError: as :func:`read_policy`.
    """
    if path is not None:
        return read_policy(path), str(path)
    own = workspace.deployment / "policy" / FILE
    return (read_policy(own), str(own)) if own.is_file() else (GatePolicy(), "the defaults")


def read_policy(path: str | Path) -> GatePolicy:
    """Return what a file says; keys that it does not have are as the defaults are.

    Raises:
        UsageError: it is missing, no YAML, or names the key that is wrong.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", next_step=_EXAMPLE
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        fault = " ".join(str(error).split())[:300]
        raise UsageError(f"{path} is not YAML: {fault}", next_step="correct it") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no keys", next_step=_EXAMPLE)
    try:
        return GatePolicy.model_validate(content)
    except ValidationError as error:
        raise UsageError(
            f"{path}: {_fault(error)}",
            why="a rule that is misread would let through what it is to hold back",
            next_step=f"correct it; {_EXAMPLE}",
        ) from error


def _fault(error: ValidationError) -> str:
    """Return the first thing that is wrong, after the key that it is wrong with."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        given = "" if isinstance(first["input"], dict | list) else f" is {first['input']!r}"
        return f"{key}{given}: {said[:1].lower()}{said[1:]}" if key else said
    known = _keys(first["loc"][:-1])
    near = get_close_matches(str(first["loc"][-1]), known, n=1)
    meant = f": is {near[0]} meant?" if near else f"; there are {', '.join(known)}"
    return f"there is no key {key}{meant}"


def _keys(place: tuple[Any, ...]) -> list[str]:
    """Return the keys that there are at a place of the policy."""
    kind: type[BaseModel] = GatePolicy
    for name in place:
        field = kind.model_fields.get(str(name))
        if field is None:  # below a mapping's own keys
            continue
        found = field.annotation
        inner = found if isinstance(found, type) else next(
            (one for one in getattr(found, "__args__", ()) if isinstance(one, type)
             and issubclass(one, BaseModel)), None)  # fmt: skip
        if inner is not None and issubclass(inner, BaseModel):
            kind = inner
    return list(kind.model_fields)
