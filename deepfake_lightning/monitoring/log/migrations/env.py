"""What alembic runs: the revisions, on the connection that it is given."""

from alembic import context

from deepfake_lightning.monitoring.log.tables import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables,
    # Of its own: another program's revisions may lie in the same database.
    version_table="log_revision",
)
context.run_migrations()
