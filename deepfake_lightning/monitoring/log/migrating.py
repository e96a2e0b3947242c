"""From a log of any earlier version, or none, to the newest revision. Imports alembic."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_REVISIONS = "deepfake_lightning.monitoring.log:migrations"


def upgrade(connection: Connection, found: int | None) -> None:
    """Bring a log to the newest revision, within the transaction that is open.

    Args:
        connection: to the log.
        found: its ``log_schema`` version, None where there is no log. A log of version 1 is from
            before there were revisions, and has the tables of the first.
    """
    config = Config()
    config.set_main_option("script_location", _REVISIONS)
    config.attributes["connection"] = connection
    if found == 1:
        command.stamp(config, "1")
    command.upgrade(config, "head")
