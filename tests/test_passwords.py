"""No password is shown, wherever in a text it stands."""

from __future__ import annotations

import time

import pytest

from deepfake_lightning.passwords import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:secret@host/db", "postgresql://u:***@host/db"),
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("no --storag=postgresql+psycopg://u:s@c/r:t@h:1/d here", None),
        ("//h/d?user=u&password=secret&sslmode=require", None),
        ("//h/d?sslpassword=secret", "//h/d?sslpassword=***"),
        ("postgresql://ada:my secret@db/log", "postgresql://ada:***@db/log"),
        ("postgresql://me@corp:my secret@db/log", "postgresql://me@corp:***@db/log"),
        ("host=db password=secret user=ada", "host=db password=*** user=ada"),
        ("host=db password = 'my \\'secret' user=ada", "host=db password = *** user=ada"),
        ("https://secret@host/x", "https://***@host/x"),
        ("//h/d?password=a'secret&x=y", "//h/d?password=***&x=y"),
        ("1postgresql://u:secret@h", "1postgresql://u:***@h"),
    ],
)
def test_it_is_replaced(text: str, shown: str | None) -> None:
    found = without_passwords(text)
    assert "secret" not in found and "s@c" not in found and "***" in found
    assert shown is None or found == shown


@pytest.mark.parametrize(
    "text",
    ["a/journal.log", "sqlite:///x.db", "postgresql://u@host/db", "http://127.0.0.1:8050/a?b=c",
     "ada@example.org: 12:30", "http://127.0.0.1:8050 is ada@example.org's"],
)  # fmt: skip
def test_what_holds_none_stays(text: str) -> None:
    assert without_passwords(text) == text


@pytest.mark.parametrize(
    "part", ["a", "a://x:", "https://", "://x:y ", "password='", "password ", "'\\'"]
)
def test_a_long_text_takes_no_time(part: str) -> None:
    began = time.process_time()
    without_passwords(part * 40_000)
    assert time.process_time() - began < 2  # seconds; each part gone through twice takes more
