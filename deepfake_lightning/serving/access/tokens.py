"""Tokens of callers: made, kept as hashes, found, revoked.

A token is 256 random bits, so one round of SHA-256 without a salt keeps it: nobody can try so many,
and no table of them can be made. (Slow hashes are for passwords, which people choose.)
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.serving.access.callers import Caller
from deepfake_lightning.serving.access.token_records import (
    TokenRecord,
    new_record,
    read_records,
    write_records,
)
from deepfake_lightning.storage import lock

__all__ = ["FILE", "PREFIX", "Caller", "TokenRecord", "TokenStore"]

FILE = "tokens.json"
PREFIX = "dfl_"  # says what it is to people, and to programs that look for secrets in texts
_BITS = 256

logger = logging.getLogger(__name__)


class TokenStore:
    """The tokens in a file, which several processes change and follow.

    Args:
        path: the file; without one there are no tokens.
        clock: the time in seconds since 1970.
        every: seconds between looks at the file: so long a revoked token still works.

    Raises:
        UsageError: the file is damaged or cannot be read. Later on that is logged, and what was
            read last counts.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, every: float = 1.0
    ) -> None:
        self.path = path
        self._clock = clock
        self._every = every
        self._looked = time.monotonic()
        self._state = _state(path)
        self._known = _prepared(read_records(path))

    def __len__(self) -> int:
        """Return how many tokens there are, ended ones too."""
        self._follow()
        return len(self._known)

    def find(self, token: bytes) -> Caller | None:
        """Return whose token it is; None for a wrong, ended or revoked one."""
        self._follow()
        given = hashlib.sha256(token).digest()
        found = None
        for digest, record, caller in self._known:  # all: the time it takes tells nothing
            if hmac.compare_digest(digest, given):
                found = (record, caller)
        if found is None or found[0].has_ended(self._clock()):
            return None
        return found[1]

    def records(self) -> tuple[TokenRecord, ...]:
        """Return what is kept, in the order of making.

        Raises:
            UsageError: the file is damaged or cannot be read.
        """
        return read_records(self.path)

    def has_ended(self, record: TokenRecord) -> bool:
        """Return whether a token's time is over."""
        return record.has_ended(self._clock())

    def create(
        self, name: str, scopes: Iterable[str], *, rate: str | None = None, days: int | None = None
    ) -> tuple[str, TokenRecord]:
        """Make a token.

        Args:
            name: who gets it.
            scopes: of predict, feedback, admin.
            rate: ``600/minute``; None for what all callers have.
            days: how long it works; None forever.

        Returns:
            The token, which is kept nowhere, and its record.

        Raises:
            UsageError: the name is taken or none; a scope, the rate or the days are wrong.
            StorageError: the machine refused the write.
        """
        token = PREFIX + secrets.token_urlsafe(_BITS // 8)
        record = new_record(name, tuple(scopes), rate, days, token, self._clock())
        with lock(self.path):
            before = read_records(self.path)
            if any(one.name == name for one in before):
                raise UsageError(
                    f"there is a token with the name {name}",
                    why="the log tells callers by their names",
                    next_step=f"take another, or: deepfake-lightning token revoke {name}",
                )
            write_records(self.path, (*before, record))
        return token, record

    def revoke(self, name: str) -> TokenRecord:
        """Take a token's rights away; servers follow within a second or so.

        Raises:
            UsageError: there is none with that name.
            StorageError: the machine refused the write.
        """
        with lock(self.path):
            before = read_records(self.path)
            gone = next((one for one in before if one.name == name), None)
            if gone is None:
                raise UsageError(
                    f"there is no token with the name {name[:64]!r}",
                    next_step="see which there are: deepfake-lightning token list",
                )
            write_records(self.path, tuple(one for one in before if one.name != name))
        return gone

    def _follow(self) -> None:
        if time.monotonic() - self._looked < self._every:
            return
        self._looked = time.monotonic()
        # Before it is read: what changes in between is seen at the next look.
        state = _state(self.path)
        if state == self._state:
            return
        self._state = state
        try:
            self._known = _prepared(read_records(self.path))
        except DeepfakeLightningError as error:
            logger.error("the tokens of before still count: %s", error.what)


_Known = tuple[tuple[bytes, TokenRecord, Caller], ...]


def _prepared(records: tuple[TokenRecord, ...]) -> _Known:
    return tuple((bytes.fromhex(one.sha256), one, one.caller()) for one in records)


def _state(path: Path) -> tuple[int, int, int] | None:
    """Return what differs once a file was replaced or written; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
