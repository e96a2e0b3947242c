"""The tables of the prediction log, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA = 4

tables = MetaData()


def _number() -> Column[int]:
    # SQLite numbers rows by itself only where the type is called INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


# Read before anything else; programs that know fewer revisions refuse the log by it.
log_schema = Table("log_schema", tables, Column("version", Integer, primary_key=True))

requests = Table(
    "requests",
    tables,
    Column("id", String(64), primary_key=True),
    Column("ts_us", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("media_type", Text),
    Column("verdict", Text),
    Column("error", Text),
    Column("bytes", BigInteger, nullable=False),
    Column("latency_us", BigInteger, nullable=False),
    Column("media_us", BigInteger),
    Column("network_us", BigInteger),
    Column("environment", Text),
    Column("experiment", Text),
    Column("client", Text),
    Column("variant", Text),
    Column("queue_us", BigInteger),
    Column("decode_us", BigInteger),
    Column("faces_us", BigInteger),
    Column("already_cropped", Boolean),
    # The time alone: with (version, ts_us) SQLite reads the whole index to group by version.
    Index("requests_ts_us", "ts_us"),
)

item_scores = Table(
    "item_scores",
    tables,
    _number(),
    Column("request_id", ForeignKey(requests.c.id, ondelete="CASCADE"), nullable=False),
    Column("item", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("logit", Double),
    Column("score", Double),
    Column("calibrated", Boolean, nullable=False),
    Column("faces", Integer, nullable=False),
    Column("tracks", Integer, nullable=False),
    Column("version", Text, nullable=False, server_default=""),
    Column("bundle", Text, nullable=False, server_default=""),
    Column("variant", Text, nullable=False, server_default="serving"),
    Column("verdict", Text),
    Column("network_us", BigInteger),
    Column("brightness", Double),
    Column("contrast", Double),
    Column("saturation", Double),
    Column("sharpness", Double),
    Column("noise", Double),
    Column("blockiness", Double),
    Column("projection", LargeBinary),
    Index("item_scores_request_id", "request_id"),
)

labels = Table(
    "labels",
    tables,
    _number(),
    Column("request_id", ForeignKey(requests.c.id, ondelete="CASCADE"), nullable=False),
    Column("ts_us", BigInteger, nullable=False),
    Column("label", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("client", Text),
    Column("source", Text, nullable=False),
    Column("note", Text),
    Index("labels_request_id", "request_id"),
    # Requests with a review are counted from this one alone.
    Index("labels_source", "source", "request_id"),
)

# Requests that were drawn for review, each with the chance that it had. Environment and version
# are those of the request: counting by them would take longer with a join.
review_queue = Table(
    "review_queue",
    tables,
    Column("request_id", ForeignKey(requests.c.id, ondelete="CASCADE"), primary_key=True),
    Column("ts_us", BigInteger, nullable=False),
    Column("environment", Text),
    Column("media_type", Text),
    Column("version", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("stratum", Text, nullable=False),
    Index("review_queue_ts_us", "ts_us"),
    # What was drawn of each stratum is counted from this one alone, without sorting.
    Index(
        "review_queue_drawn",
        *("version", "stratum", "ts_us", "environment", "media_type", "probability"),
    ),
)

# What was found of drift in the window of a version's requests; the record is JSON.
drift_checks = Table(
    "drift_checks",
    tables,
    Column("environment", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("start_us", BigInteger, primary_key=True, autoincrement=False),
    Column("end_us", BigInteger, nullable=False),
    Column("score", Double),
    Column("record", Text, nullable=False),
)

# Hashes of the ids of erased requests, kept for good: rows of theirs may come yet, and copies of
# their media may lie in training loops. The times are in the ids.
erased = Table(
    "erased",
    tables,
    Column("id", String(32), primary_key=True),
    Column("ts_us", BigInteger, nullable=False),
    Index("erased_ts_us", "ts_us"),
)

# Times of which requests were answered and are not in the log.
gaps = Table(
    "gaps",
    tables,
    _number(),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

# Minutes of which something was written since their roll-up was made; a row for each change.
dirty_minutes = Table(
    "dirty_minutes",
    tables,
    _number(),
    Column("start_us", BigInteger, nullable=False),
    Index("dirty_minutes_start_us", "start_us"),
)

COUNTS = (
    "requests", "status_2xx", "status_4xx", "status_5xx", "status_503", "latency_us",
    "items", "no_face", "unreadable",
    "manipulation_indicated", "no_indication", "inconclusive", "not_assessable",
    "labelled", "tp", "fp", "tn", "fn",
)  # fmt: skip
KEYS = ("environment", "version", "variant", "media_type", "route")

rollups = Table(
    "rollups",
    tables,
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("start_us", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Text, primary_key=True) for name in KEYS),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
    *(Column(name, LargeBinary, nullable=False)
      for name in ("latency", "scores", "stages", "quality")),
)  # fmt: skip

# Rows of requests that came before this time are gone, and their roll-ups are final.
log_state = Table(
    "log_state",
    tables,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("pruned_before_us", BigInteger, nullable=False),
)
