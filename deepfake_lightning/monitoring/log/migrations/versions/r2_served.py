"""Environments, shadow versions, picture quality, labels, erasures, gaps and roll-ups."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

_NEW: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "requests": {
        "environment": sa.Text(), "experiment": sa.Text(), "client": sa.Text(),
        "variant": sa.Text(), "queue_us": sa.BigInteger(), "decode_us": sa.BigInteger(),
        "faces_us": sa.BigInteger(),
    },
    "item_scores": {
        "verdict": sa.Text(), "network_us": sa.BigInteger(), "brightness": sa.Double(),
        "contrast": sa.Double(), "saturation": sa.Double(), "sharpness": sa.Double(),
        "noise": sa.Double(), "blockiness": sa.Double(), "projection": sa.LargeBinary(),
    },
}  # fmt: skip
_OF_ITEMS = {"version": "", "bundle": "", "variant": "serving"}
_KEYS = ("environment", "version", "variant", "media_type", "route")
_COUNTS = (
    "requests", "status_2xx", "status_4xx", "status_5xx", "status_503", "latency_us",
    "items", "no_face", "unreadable",
    "manipulation_indicated", "no_indication", "inconclusive", "not_assessable",
    "labelled", "tp", "fp", "tn", "fn",
)  # fmt: skip
_BLOBS = ("latency", "scores", "stages", "quality")


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    """Add what is new; scores of before are of the version that answered."""
    for table, columns in _NEW.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    for name, value in _OF_ITEMS.items():
        op.add_column(
            "item_scores", sa.Column(name, sa.Text(), nullable=False, server_default=value)
        )
    op.execute(
        "UPDATE item_scores SET version = r.version, bundle = r.bundle, verdict = r.verdict, "
        "network_us = r.network_us FROM requests r WHERE r.id = item_scores.request_id"
    )
    op.create_table(
        "labels",
        _number(),
        sa.Column(
            "request_id", sa.String(64), sa.ForeignKey("requests.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("ts_us", sa.BigInteger, nullable=False),
        sa.Column("label", sa.Integer, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("client", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
    )  # fmt: skip
    op.create_index("labels_request_id", "labels", ["request_id"])
    op.create_table(
        "erased",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("ts_us", sa.BigInteger, nullable=False),
    )
    op.create_index("erased_ts_us", "erased", ["ts_us"])
    op.create_table(
        "gaps",
        _number(),
        sa.Column("from_us", sa.BigInteger, nullable=False),
        sa.Column("to_us", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    _roll_ups()
    op.execute("UPDATE log_schema SET version = 2")


def _roll_ups() -> None:
    op.create_table(
        "dirty_minutes", _number(), sa.Column("start_us", sa.BigInteger, nullable=False)
    )
    op.create_index("dirty_minutes_start_us", "dirty_minutes", ["start_us"])
    op.create_table(
        "rollups",
        sa.Column("span_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in _KEYS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
        *(sa.Column(name, sa.LargeBinary, nullable=False) for name in _BLOBS),
    )
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pruned_before_us", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO log_state (id, pruned_before_us) VALUES (1, 0)")
    op.execute(
        "INSERT INTO dirty_minutes (start_us) "
        "SELECT DISTINCT ts_us - ts_us % 60000000 FROM requests"
    )
