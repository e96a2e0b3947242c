"""Records made of what a user has set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from deepfake_lightning.errors import UsageError

Record = TypeVar("Record", bound=BaseModel)


def from_settings(kind: type[Record], flags: Mapping[str, str], **given: Any) -> Record:
    """Return a record of what was set.

    Args:
        kind: the record's class.
        flags: what a field is called where it is set, if otherwise than in the record.
        given: the fields.

    Raises:
        UsageError: names the flag, its value and what is wrong with it.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        raise UsageError(
            f"{flags.get(name, name)} is {given[name]!r}: "
            f"{fault['msg'].removeprefix('Value error, ')}",
            next_step="correct the value",
        ) from error
