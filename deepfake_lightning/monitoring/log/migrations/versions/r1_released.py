"""The tables of version 0.1.0."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table("log_schema", sa.Column("version", sa.Integer, primary_key=True))
    op.create_table(
        "requests",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("ts_us", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("bundle", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("http_status", sa.Integer, nullable=False),
        sa.Column("media_type", sa.Text),
        sa.Column("verdict", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
        sa.Column("media_us", sa.BigInteger),
        sa.Column("network_us", sa.BigInteger),
    )
    op.create_index("requests_ts_us", "requests", ["ts_us"])
    op.create_table(
        "item_scores",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column(
            "request_id", sa.String(64), sa.ForeignKey("requests.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("item", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("logit", sa.Double),
        sa.Column("score", sa.Double),
        sa.Column("calibrated", sa.Boolean, nullable=False),
        sa.Column("faces", sa.Integer, nullable=False),
        sa.Column("tracks", sa.Integer, nullable=False),
    )  # fmt: skip
    op.create_index("item_scores_request_id", "item_scores", ["request_id"])
    op.execute("INSERT INTO log_schema (version) VALUES (1)")
