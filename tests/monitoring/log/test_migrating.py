"""Logs of earlier versions: their rows are found after, and they are left alone where need be."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log import ItemScore, PredictionLog
from deepfake_lightning.monitoring.log.address import connect, log_url
from deepfake_lightning.monitoring.log.rollup_windows import read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import tables

# As version 0.1.0 made them, in SQLite's words and in PostgreSQL's.
OLD = """
CREATE TABLE log_schema (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE requests (id VARCHAR(64) NOT NULL, ts_us BIGINT NOT NULL, version TEXT NOT NULL,
  bundle TEXT NOT NULL, route TEXT NOT NULL, http_status INTEGER NOT NULL, media_type TEXT,
  verdict TEXT, error TEXT, bytes BIGINT NOT NULL, latency_us BIGINT NOT NULL, media_us BIGINT,
  network_us BIGINT, PRIMARY KEY (id));
CREATE INDEX requests_ts_us ON requests (ts_us);
CREATE TABLE item_scores (id {number} NOT NULL, request_id VARCHAR(64) NOT NULL,
  item INTEGER NOT NULL, status TEXT NOT NULL, logit {double}, score {double},
  calibrated BOOLEAN NOT NULL, faces INTEGER NOT NULL, tracks INTEGER NOT NULL, PRIMARY KEY (id),
  FOREIGN KEY(request_id) REFERENCES requests (id) ON DELETE CASCADE);
CREATE INDEX item_scores_request_id ON item_scores (request_id);
INSERT INTO log_schema VALUES (1);
INSERT INTO requests VALUES ('r0', 1700049600000000, 'v1.0.0', 'abab', '/v1/predict', 200, 'image',
  'inconclusive', NULL, 1234, 56000, 40000, 7000);
INSERT INTO requests VALUES ('r1', 1700049700000000, '', '', '/v1/predict', 503, NULL, NULL, 'busy',
  0, 10, NULL, NULL);
INSERT INTO item_scores (request_id, item, status, logit, score, calibrated, faces, tracks)
  VALUES ('r0', 0, 'ok', 0.3, 0.57, {true}, 2, 1);
"""


@pytest.fixture
def old(place: str, tmp_path: Any) -> str:
    """Return where a log of version 0.1.0 lies, with two requests."""
    (tmp_path / "monitoring").mkdir()
    is_file = "://" not in place
    words = (
        {"number": "INTEGER", "double": "DOUBLE", "true": "1"}
        if is_file
        else {"number": "BIGSERIAL", "double": "DOUBLE PRECISION", "true": "true"}
    )
    engine = connect(log_url(place))
    with engine.begin() as connection:
        for statement in OLD.format(**words).split(";")[:-1]:
            connection.execute(text(statement))
    engine.dispose()
    return place


def test_an_old_log_is_brought_up_to_date_with_all_its_rows(old: str) -> None:
    with PredictionLog(old) as log:
        row = log.find("r0")
        assert row is not None
        assert (row.ts_us, row.latency_us, row.variant) == (1_700_049_600_000_000, 56_000, None)
        assert row.items == (
            ItemScore(0, "ok", 0.3, 0.57, True, 2, 1, "v1.0.0", "abab", "serving",
                      "inconclusive", 7000),
        )  # fmt: skip
        assert log.count() == 2
        assert make_rollups(log) == 2
        found = read_rollups(log, 0, 1_800_000_000_000_000, by=["version"])
        assert [one.totals.count("status_503") for one in found] == [1, 0]
        assert found[1].totals.count("inconclusive") == 1
    with PredictionLog(old) as again:
        assert again.count() == 2


def test_an_old_program_sees_that_the_log_is_newer(old: str) -> None:
    with PredictionLog(old) as log, log.reading() as connection:
        assert connection.execute(text("SELECT version FROM log_schema")).all() == [(4,)]


def test_several_open_an_old_log_at_once(old: str) -> None:
    def count(_: int) -> int:
        with PredictionLog(old) as log:
            return log.count()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(count, range(6))) == [2] * 6


def test_a_log_that_cannot_be_brought_up_to_date_stays_as_it_was(old: str) -> None:
    engine = connect(log_url(old))
    with engine.begin() as connection:  # in the way of the last step
        connection.execute(text("CREATE TABLE log_state (other INTEGER)"))
    with pytest.raises(Exception, match="log_state"):
        PredictionLog(old)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE log_state"))
        assert connection.execute(text("SELECT version FROM log_schema")).all() == [(1,)]
    engine.dispose()
    with PredictionLog(old) as log:
        assert log.count() == 2


def test_the_revisions_make_the_tables_that_the_code_knows(place: str) -> None:
    with PredictionLog(place) as log, log.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "log_revision"})
        assert compare_metadata(context, tables) == []
        assert context.get_current_revision() == "4"


def test_a_log_of_a_newer_version_is_refused(place: str) -> None:
    with PredictionLog(place) as log, log.writing() as connection:
        connection.execute(text("UPDATE log_schema SET version = 5"))
    with pytest.raises(UsageError, match="newer version"):
        PredictionLog(place)


def test_opening_a_log_imports_no_alembic(place: str) -> None:
    PredictionLog(place).close()
    code = (
        "import sys; from deepfake_lightning.monitoring.log import PredictionLog\n"
        f"PredictionLog({place!r}).close(); assert 'alembic' not in sys.modules\n"
        "assert 'cv2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
