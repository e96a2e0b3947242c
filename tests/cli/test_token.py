"""``token ...``: what the commands print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.serving.access.tokens import TokenStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenStore:
    """Return what a server would read in the workspace of the current folder."""
    monkeypatch.chdir(tmp_path)
    return TokenStore(Path("mlops/serving/tokens.json"), every=0.0)


def run(capsys: Any, *args: str, code: int = 0) -> tuple[str, str]:
    """Return what a command writes to stdout, and its words to stderr one space apart."""
    capsys.readouterr()
    assert main(["token", *args]) == code
    captured = capsys.readouterr()
    return captured.out, " ".join(captured.err.split())


def test_create_prints_the_token_alone(store: TokenStore, capsys: Any) -> None:
    out, said = run(capsys, "create", "newsroom", "--scopes", "predict, feedback",
                    "--rate", "600/minute")  # fmt: skip
    token = out.removesuffix("\n")
    caller = store.find(token.encode())
    assert caller is not None
    assert (caller.name, caller.scopes) == ("newsroom", {"predict", "feedback"})
    assert str(caller.rate) == "600/minute"
    assert token not in said
    assert "newsroom may predict, feedback" in said
    assert "token revoke newsroom" in said
    days = store.records()[0].expires - store.records()[0].created  # type: ignore[operator]
    assert days.days == 90


def test_create_as_json(store: TokenStore, capsys: Any) -> None:
    out, said = run(capsys, "create", "ci", "--days", "null", "--json", "true")
    record = json.loads(out)
    assert store.find(record["token"].encode())
    assert (record["name"], record["scopes"], record["expires"]) == ("ci", ["predict"], None)
    assert said == ""
    assert "sha256" not in record


def test_list_shows_all_but_hashes(store: TokenStore, capsys: Any) -> None:
    out, _ = run(capsys, "list")
    assert "token create NAME" in out
    assert not Path("mlops").exists()
    run(capsys, "create", "newsroom", "--scopes", "admin", "--rate", "5/second")
    run(capsys, "create", "n" * 64, "--scopes", "predict,feedback,admin", "--days", "null")
    out, _ = run(capsys, "list")
    assert all(len(line) <= 80 for line in out.splitlines() if "next:" not in line)
    assert "newsroom" in out and "5/second" in out and "never" in out
    listed, _ = run(capsys, "list", "--json", "true")
    tokens = json.loads(listed)["tokens"]
    assert [one["name"] for one in tokens] == ["newsroom", "n" * 64]
    assert all(one.sha256 not in out + listed for one in store.records())


def test_an_ended_token_is_listed_as_such(store: TokenStore, capsys: Any) -> None:
    TokenStore(store.path, clock=lambda: 1_700_000_000).create("old", ["predict"], days=1)
    assert "2023-11-15 (ended)" in run(capsys, "list")[0]


def test_revoke(store: TokenStore, capsys: Any) -> None:
    token = run(capsys, "create", "newsroom")[0].strip().encode()
    assert store.find(token)
    out, _ = run(capsys, "revoke", "newsroom")
    assert "is revoked" in out
    assert store.find(token) is None


@pytest.mark.parametrize(
    ("args", "said"),
    [(["create", "taken"], "there is a token with the name taken"),
     (["create", "local"], "'local' is no name for a token"),
     (["create", "b", "--scopes", "predikt"], "pass some of predict, feedback, metrics, admin"),
     (["create", "b", "--scopes", ","], "without scopes"),
     (["create", "b", "--rate", "often"], "such as 600/minute"),
     (["create", "b", "--days", "-3"], "1 to 36500 days"),
     (["create"], "name"), (["revoke", "nobody"], "token list")],
)  # fmt: skip
def test_mistakes_teach(store: TokenStore, capsys: Any, args: list[str], said: str) -> None:
    run(capsys, "create", "taken")
    out, err = run(capsys, *args, code=2)
    assert said in err
    assert out == ""
    assert [one.name for one in store.records()] == ["taken"]


def test_a_damaged_file_is_said_and_kept(store: TokenStore, capsys: Any) -> None:
    run(capsys, "create", "ada")
    store.path.write_text("{")
    for args in (["list"], ["create", "bob"], ["revoke", "ada"]):
        assert "are damaged" in run(capsys, *args, code=2)[1]
    assert store.path.read_text() == "{"
