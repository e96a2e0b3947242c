"""Tokens on disk, and those who follow them."""

from __future__ import annotations

import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepfake_lightning.errors import UsageError
from deepfake_lightning.serving.access.callers import SCOPES, Rate
from deepfake_lightning.serving.access.token_records import TokenRecord, read_records, write_records
from deepfake_lightning.serving.access.tokens import TokenStore

in_one_folder = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "serving" / "tokens.json"


@pytest.fixture
def store(path):
    return TokenStore(path, every=0.0)


records = st.builds(
    TokenRecord,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).filter(
        lambda name: name not in ("local", "operator")
    ),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    scopes=st.lists(st.sampled_from(SCOPES), min_size=1, unique=True).map(tuple),
    created=st.datetimes(timezones=st.just(UTC)),
    expires=st.none() | st.datetimes(timezones=st.just(UTC)),
    rate=st.none() | st.integers(1, 999_999).map(lambda amount: f"{amount}/hour"),
)
tables = st.lists(records, max_size=5, unique_by=lambda one: one.name).map(tuple)


@in_one_folder
@given(tables)
def test_a_table_is_read_as_it_was_written(path, table):
    write_records(path, table)
    assert read_records(path) == table


@in_one_folder
@given(tables.filter(len), st.data())
def test_a_damaged_file_is_an_error_that_shows_no_hash(path, table, data):
    write_records(path, table)
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    junk = data.draw(st.binary(max_size=3))
    path.write_bytes(content[:at] + junk + content[at + data.draw(st.integers(0, 40)) :])
    try:
        read_records(path)  # where the change is one of a name or day, it cannot be told
    except UsageError as error:
        assert not any(one.sha256[:16] in str(error) for one in table)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"schema": 2, "tokens": []}', '{"schema": 1}', "[" * 100_000,
     '{"schema": 1, "tokens": [{}]}', '{"schema": 1, "tokens": {"a": 1}}', "\x00"],
)  # fmt: skip
def test_what_is_no_table(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(UsageError, match="damaged"):
        TokenStore(path)


def test_a_token_is_found_and_only_its_hash_is_kept(store, path):
    token, record = store.create("ada", ["feedback", "predict"], rate="600/minute")
    other, _ = store.create("bob", ["admin"])
    caller = store.find(token.encode())
    assert (caller.name, caller.rate) == ("ada", Rate(600, "minute"))
    assert caller.scopes == {"predict", "feedback"}
    assert store.find(other.encode()).name == "bob"
    for wrong in (token[:-1], token + "x", token.lower(), record.sha256, "", "dfl_"):
        assert store.find(wrong.encode()) is None
    text = path.read_text()
    assert token not in text and token.removeprefix("dfl_") not in text
    assert record.sha256 in text and record.sha256 not in repr(record)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) == 47  # dfl_ and 256 bits
    assert not [left for left in path.parent.iterdir() if "unfinished" in left.name]


def test_an_ended_token_is_none(path):
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    store = TokenStore(path, clock=lambda: now, every=0.0)
    token, record = store.create("ada", ["predict"], days=90)
    assert record.expires == datetime(2026, 4, 1, tzinfo=UTC)
    now += 90 * 86400 - 1
    assert store.find(token.encode())
    now += 1
    assert store.find(token.encode()) is None
    assert store.has_ended(record)


def test_other_processes_follow(store, path):
    server = TokenStore(path, every=0.0)
    assert len(server) == 0
    token, _ = store.create("ada", ["predict"])
    assert server.find(token.encode()).name == "ada"
    store.revoke("ada")
    assert server.find(token.encode()) is None
    again, _ = store.create("ada", ["predict"])
    path.unlink()  # nobody is left
    assert server.find(again.encode()) is None


def test_the_file_is_looked_at_once_in_a_while(store, path):
    token, _ = store.create("ada", ["predict"])
    server = TokenStore(path, every=0.2)
    store.revoke("ada")
    assert server.find(token.encode())
    for _ in range(200):
        if server.find(token.encode()) is None:
            return
        time.sleep(0.01)
    raise AssertionError("the token still works")


def test_a_file_damaged_later_is_reported_once_and_what_was_read_counts(store, path, caplog):
    token, _ = store.create("ada", ["predict"])
    server = TokenStore(path, every=0.0)
    whole = path.read_text()
    path.write_text(whole[:50])
    for _ in range(3):
        assert server.find(token.encode()).name == "ada"
    assert caplog.text.count("still count") == 1
    assert "damaged" in caplog.text
    path.write_text(json.dumps({"schema": 1, "tokens": []}))
    assert server.find(token.encode()) is None


def test_makers_at_the_same_time_lose_nothing(path):
    def make(number):
        return TokenStore(path).create(f"caller{number}", ["predict"])[0]

    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(make, range(12)))
    store = TokenStore(path)
    assert sorted(store.find(one.encode()).name for one in tokens) == sorted(
        f"caller{number}" for number in range(12)
    )


@pytest.mark.parametrize(
    ("name", "scopes", "more", "said"),
    [("ada", ["predict"], {}, "there is a token with the name ada"),
     ("", ["predict"], {}, "is no name"), ("local", ["predict"], {}, "is no name"),
     ("a b", ["predict"], {}, "is no name"), ("a\n", ["predict"], {}, "is no name"),
     ("b", ["predikt"], {}, "'predikt' is no scope"), ("b", [], {}, "without scopes"),
     ("b", ["predict"], {"rate": "often"}, "is no rate"),
     ("b", ["predict"], {"days": 0}, "0 days"), ("b", ["predict"], {"days": 10**9}, "days")],
)  # fmt: skip
def test_wrong_wishes_change_nothing(store, path, name, scopes, more, said):
    store.create("ada", ["predict"])
    before = path.read_bytes()
    with pytest.raises(UsageError, match=said):
        store.create(name, scopes, **more)
    assert path.read_bytes() == before


def test_revoking_what_is_not_there(store, path):
    with pytest.raises(UsageError, match="no token with the name 'eve'"):
        store.revoke("eve")
    assert not path.exists()
