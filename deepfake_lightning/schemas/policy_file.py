"""Policies from YAML files: what a file leaves out is as the policy's class has it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from deepfake_lightning.errors import UsageError

Policy = TypeVar("Policy", bound=BaseModel)


def read_policy(path: str | Path, kind: type[Policy], example: str) -> Policy:
    """Return what a file says.

    Args:
        path: of the file.
        kind: of policy, which forbids keys that it does not know.
        example: a file with all defaults, which errors name.

    Raises:
        UsageError: it is missing, no YAML, or names the key that is wrong.
    """
    path, advice = Path(path), f"{example} is an example, with all defaults"
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", next_step=advice
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        fault = " ".join(str(error).split())[:300]
        raise UsageError(f"{path} is not YAML: {fault}", next_step="correct it") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no keys", next_step=advice)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UsageError(
            f"{path}: {_fault(error, kind)}",
            why="a rule that is misread would let through what it is to hold back",
            next_step=f"correct it; {advice}",
        ) from error


def _fault(error: ValidationError, kind: type[BaseModel]) -> str:
    """Return the first thing that is wrong, after the key that it is wrong with."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        given = "" if isinstance(first["input"], dict | list) else f" is {first['input']!r}"
        return f"{key}{given}: {said[:1].lower()}{said[1:]}" if key else said
    known = _keys(first["loc"][:-1], kind)
    near = get_close_matches(str(first["loc"][-1]), known, n=1)
    meant = f": is {near[0]} meant?" if near else f"; there are {', '.join(known)}"
    return f"there is no key {key}{meant}"


def _keys(place: tuple[Any, ...], kind: type[BaseModel]) -> list[str]:
    """Return the keys that there are at a place of the policy."""
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
