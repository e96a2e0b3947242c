"""No password is shown, wherever in a text it stands."""

from __future__ import annotations

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
    ],
)
def test_it_is_replaced(text: str, shown: str | None) -> None:
    found = without_passwords(text)
    assert "secret" not in found and "s@c" not in found and "***" in found
    assert shown is None or found == shown


@pytest.mark.parametrize(
    "text",
    ["a/journal.log", "sqlite:///x.db", "postgresql://u@host/db", "http://127.0.0.1:8050/a?b=c",
     "ada@example.org: 12:30"],
)  # fmt: skip
def test_what_holds_none_stays(text: str) -> None:
    assert without_passwords(text) == text
