"""A study in a database: one that is away for a while is waited for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from importlib.util import find_spec
from typing import Any

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnection

from deepfake_lightning.errors import StorageError
from deepfake_lightning.passwords import without_passwords

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 60
PATIENCE_SECONDS = 300.0
# Longer than a trial can be silent while its database is away: nobody may take it for lost then.
_GRACE_SECONDS = 480
_OPENINGS = 3  # of a new database, while another makes its tables
_OF_LIBPQ = ("psycopg", "psycopg2")
# Seconds, and milliseconds: a line on which nothing comes back is noticed before the grace is over.
_LINE = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 60_000}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class PatientStorage(RDBStorage):
    """Optuna's storage in a database, whose calls wait while the database is away.

    A server that is restarted, a line that drops or a lock that another holds cost a sweep time,
    and no trial. Who is interrupted while waiting waits no more, and who has waited in vain.

    Args:
        url: SQLAlchemy's; ``postgresql://`` means psycopg where that is installed.
        waits: whether opening it waits as well.

    Attributes:
        patience: seconds that a call waits.

    Raises:
        SQLAlchemyError, ImportError, ValueError: it cannot be opened.
        StorageError: it was away all the time.
    """

    def __init__(self, url: str, *, waits: bool = False) -> None:
        self.shown = shown(url)
        self.patience = PATIENCE_SECONDS
        address, options = _address(url)
        opening = _patient(RDBStorage.__init__) if waits else RDBStorage.__init__
        for left in reversed(range(_OPENINGS)):
            try:
                opening(
                    self, address, options, heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=_GRACE_SECONDS,
                )  # fmt: skip
                break
            except (SQLAlchemyError, StorageInternalError) as error:
                if not left or not _is_of_two(error):
                    raise
                self.engine.dispose()
                time.sleep(_FIRST_PAUSE)

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Be the only one, of all machines, that holds a name; only PostgreSQL can tell.

        Raises:
            StorageError: the database was away, or another held it, all the time.
        """
        if self.engine.dialect.name != "postgresql":
            yield
            return
        connection = self._held(what)
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # cut by now: then nothing is held any more
                connection.close()

    def _held(self, what: str) -> Connection:
        connection = self.engine.connect()
        try:
            connection.execute(text("SELECT set_config('lock_timeout', '60s', true)"))
            key = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))")
            connection.execute(key, {"what": what})
        except BaseException:
            connection.close()
            raise
        return connection

    def _wait(self, fault: str, began: float, pause: float) -> None:
        left = self.patience - (time.monotonic() - began)
        if left <= 0:
            waited, self.patience = self.patience, 0.0
            raise StorageError(
                f"the storage {self.shown} is away"
                + (f", and has been for {waited:.0f} s" if waited else "")
                + f": {fault}",
                why="the trials are kept there",
                next_step="start the database, then run the same command again: it goes on, and "
                "finished trials count",
            )
        try:
            time.sleep(min(pause, left))
        except BaseException:
            self.patience = 0.0
            raise


def shown(url: str) -> str:
    """Return where a storage is, without passwords.

    Example:
        >>> shown("postgresql://me@corp:my secret@db/trials?sslpassword=x")
        'postgresql://me%40corp:***@db/trials?sslpassword=***'
    """
    with suppress(SQLAlchemyError, ValueError):  # else it is a path, or none at all
        url = make_url(url).render_as_string(hide_password=True)
    return without_passwords(url)


def _address(url: str) -> tuple[str, dict[str, Any]]:
    """Return the URL as Optuna takes it, and options of the engine."""
    made = make_url(url)
    if "@" in (made.host or ""):  # else a driver's error would show a part of it
        raise ValueError("an @ within a password is written %40")
    options: dict[str, Any] = {}
    if made.drivername == "postgresql" and find_spec("psycopg") is not None:
        made = made.set(drivername="postgresql+psycopg")
    if made.get_backend_name() != "sqlite":
        options["pool_pre_ping"] = True
    if made.get_backend_name() == "postgresql" and made.get_driver_name() in _OF_LIBPQ:
        missing = {name: value for name, value in _LINE.items() if name not in made.query}
        options["connect_args"] = missing
    # Optuna takes braces for places to fill.
    address = made.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    return address, options


def _is_of_two(error: Exception) -> bool:
    """Whether tables could not be made because another has made them meanwhile."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    # The last is SQLite's.
    return isinstance(cause, IntegrityError | ProgrammingError) or "already exists" in str(cause)


def _fault_of(error: Exception) -> str | None:
    """Return in a line why a database is away; None where the error is another."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, PendingRollbackError):  # Optuna has asked again, on a line that was cut
        cause = cause.__context__
    passing = isinstance(cause, OperationalError | InterfaceError | NoConnection)
    if not passing and not (isinstance(cause, DBAPIError) and cause.connection_invalidated):
        return None
    said = str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0]
    return without_passwords(said)


def _patient(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of the storage that is called again until the database answers."""
    is_telling = call.__name__ == "set_trial_state_values"

    @wraps(call)
    def called(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        began, pause, fault = time.monotonic(), _FIRST_PAUSE, ""
        while True:
            try:
                found = call(self, *args, **kwargs)
                break
            except UpdateFinishedTrialError:
                if not (fault and is_telling):
                    raise
                found = True  # it had arrived when the line was cut
                break
            except (StorageInternalError, SQLAlchemyError) as error:
                said = _fault_of(error)
                if said is None:
                    raise
                if not fault and self.patience:
                    logger.warning("the storage %s is away, and waited for: %s", self.shown, said)
                fault = said
                self._wait(fault, began, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if fault:
            logger.warning("the storage %s is back", self.shown)
        return found

    return called


# Also what Optuna's cache in front of it calls.
_OF_THE_CACHE = ("_create_new_trial", "_get_trials", "_set_trial_param", "_get_best_trial_id",
                 "_get_stale_trial_ids", "record_heartbeat", "_held")  # fmt: skip
for _name in (*BaseStorage.__abstractmethods__, *_OF_THE_CACHE):
    setattr(PatientStorage, _name, _patient(getattr(PatientStorage, _name)))
