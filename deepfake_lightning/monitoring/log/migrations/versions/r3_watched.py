"""Which requests are to be reviewed, and what was found of drift."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the tables: what is in a log stays as it is, and was not drawn for review."""
    op.create_table(
        "review_queue",
        sa.Column(
            "request_id", sa.String(64), sa.ForeignKey("requests.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("ts_us", sa.BigInteger, nullable=False),
        sa.Column("environment", sa.Text),
        sa.Column("media_type", sa.Text),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("stratum", sa.Text, nullable=False),
    )  # fmt: skip
    op.create_index("review_queue_ts_us", "review_queue", ["ts_us"])
    counted = ["version", "stratum", "ts_us", "environment", "media_type", "probability"]
    op.create_index("review_queue_drawn", "review_queue", counted)
    op.create_index("labels_source", "labels", ["source", "request_id"])
    op.create_table(
        "drift_checks",
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.execute("UPDATE log_schema SET version = 3")
