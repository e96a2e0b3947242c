"""What is kept of tokens: a table in a JSON file that its owner alone reads."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.errors import UsageError
from deepfake_lightning.serving.access.callers import LOCAL, OPERATOR, SCOPES, Caller, parse_rate
from deepfake_lightning.storage import atomic_write

_SCHEMA = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = frozenset({LOCAL.name, OPERATOR.name})
_LONGEST_DAYS = 36500


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ValueError("a name has 1 to 64 letters, digits, dots, dashes; some are taken")
    return name


def _checked_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if not scopes or set(scopes) - set(SCOPES) or len(set(scopes)) < len(scopes):
        raise ValueError(f"scopes are {', '.join(SCOPES)}")
    return scopes


def _checked_rate(rate: str | None) -> str | None:
    try:
        return rate if rate is None else str(parse_rate(rate))
    except UsageError as error:
        raise ValueError(error.what) from error


class TokenRecord(BaseModel):
    """What is kept of a token.

    Attributes:
        name: who has it.
        sha256: of the token, in hexadecimal.
        scopes: what it is good for.
        created: when, UTC.
        expires: when it ends, UTC; None never.
        rate: how often its caller may ask, ``600/minute``; None for what all have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_checked_name)]
    sha256: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    scopes: Annotated[tuple[str, ...], AfterValidator(_checked_scopes)]
    created: AwareDatetime
    expires: AwareDatetime | None = None
    rate: Annotated[str | None, AfterValidator(_checked_rate)] = None

    def has_ended(self, now: float) -> bool:
        """Return whether it no longer works at a time in seconds since 1970."""
        return self.expires is not None and self.expires.timestamp() <= now

    def caller(self) -> Caller:
        """Return who it stands for."""
        rate = parse_rate(self.rate) if self.rate else None
        return Caller(self.name, frozenset(self.scopes), rate)


def new_record(
    name: str, scopes: tuple[str, ...], rate: str | None, days: int | None, token: str, now: float
) -> TokenRecord:
    """Return the record of a new token, made at a time in seconds since 1970.

    Raises:
        UsageError: the name is none, or a scope, the rate or the days are wrong.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            f"{name[:80]!r} is no name for a token",
            next_step="take 1 to 64 letters, digits, dots, dashes and underscores, "
            f"and neither of {' and '.join(sorted(_RESERVED))}",
        )
    wrong = [one for one in scopes if one not in SCOPES]
    if wrong or not scopes:
        said = f"{wrong[0][:40]!r} is no scope" if wrong else "a token without scopes is no use"
        raise UsageError(said, next_step=f"pass some of {', '.join(SCOPES)} (admin means all)")
    if days is not None and not 1 <= days <= _LONGEST_DAYS:
        raise UsageError(
            f"a token cannot end in {days} days",
            next_step=f"pass 1 to {_LONGEST_DAYS} days, or null for one that never ends",
        )
    made = datetime.fromtimestamp(int(now), UTC)
    return TokenRecord(
        name=name,
        sha256=hashlib.sha256(token.encode()).hexdigest(),
        scopes=tuple(one for one in SCOPES if one in scopes),
        created=made,
        expires=made + timedelta(days=days) if days is not None else None,
        rate=str(parse_rate(rate)) if rate is not None else None,
    )


def read_records(path: Path) -> tuple[TokenRecord, ...]:
    """Return what a file has, in the order of making; without a file nothing.

    Raises:
        UsageError: it is damaged or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(
            f"the tokens in {path} cannot be read: {error.strerror or error}",
            next_step="run this as the user who made them, or make them anew",
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is no text") from error
    return _parse(path, text)


def _parse(path: Path, text: str) -> tuple[TokenRecord, ...]:
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
            raise _damaged(path, f"it is no table of schema {_SCHEMA}")
        rows = content.get("tokens")
        if not isinstance(rows, list):
            raise _damaged(path, "it has no list of tokens")
        records = tuple(TokenRecord.model_validate(row) for row in rows)
    except ValidationError as error:  # no values: they are hashes, or what stands in their place
        where = ".".join(map(str, error.errors()[0]["loc"])) or "a row"
        raise _damaged(path, f"{where[:60]} is wrong") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is no JSON") from error
    if len({one.name for one in records}) < len(records):
        raise _damaged(path, "a name is there twice")
    return records


def _damaged(path: Path, fault: str) -> UsageError:
    return UsageError(
        f"the tokens in {path} are damaged: {fault}",
        why="who may ask cannot be told",
        next_step="put a copy in its place, or remove it and make new tokens",
    )


def write_records(path: Path, records: tuple[TokenRecord, ...]) -> None:
    """Write the file, atomically.

    Raises:
        StorageError: the machine refused the write.
    """
    rows = [one.model_dump(mode="json") for one in records]
    with atomic_write(path, "w", rights=0o600) as file:
        file.write(json.dumps({"schema": _SCHEMA, "tokens": rows}, indent=2) + "\n")
