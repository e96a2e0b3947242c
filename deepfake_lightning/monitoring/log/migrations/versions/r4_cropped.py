"""Whether a request's media were said to show one face that has been cut out already."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the column: of requests of before it is not known."""
    op.add_column("requests", sa.Column("already_cropped", sa.Boolean))
    op.execute("UPDATE log_schema SET version = 4")
