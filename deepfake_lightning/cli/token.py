"""``token create``, ``list``, ``revoke``: who may use the server."""

from __future__ import annotations

import sys
from json import dumps
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import say
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.serving.access.tokens import TokenRecord, TokenStore


def create(
    name: str,
    scopes: str = "predict",
    rate: str | None = None,
    days: int | None = 90,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Make a token, and print it alone, this once: only a hash of it is kept.

    Callers send it as `Authorization: Bearer TOKEN`. Servers that run take it within a second. One
    that was started without any token asks for one from then on.

    Args:
        name: who gets it; the log tells callers by it.
        scopes: what it is for, with commas between: predict (and jobs), feedback, metrics (to read
            them), admin (all, and erasing requests).
        rate: how often its caller may ask, 600/minute (default: what the server gives to all).
        days: how long it works; null for ever.
        workspace: where the workspace is (default: mlops).
        json: print the token and what is kept of it as JSON.
    """
    store = _store(workspace)
    wanted = [one.strip() for one in scopes.split(",") if one.strip()]
    token, record = store.create(name, wanted, rate=rate, days=days)
    if json:
        sys.stdout.write(dumps({"token": token, **_shown(record)}) + "\n")
        return
    sys.stdout.write(token + "\n")
    sys.stdout.flush()
    ends = f"until {_day(record.expires)}" if record.expires else "for ever"
    say(
        Console(stderr=True),
        [f"{name} may {', '.join(record.scopes)} with this token {ends}",
         f"it is shown this once; its hash is in {near(store.path)}",
         f"next: curl -H 'Authorization: Bearer TOKEN' ...; "
         f"to end it: deepfake-lightning token revoke {name}"],
    )  # fmt: skip


def list_tokens(workspace: str | None = None, json: bool = False) -> None:
    """List the tokens: whose, for what, since when, until when, how often.

    Args:
        workspace: where the workspace is (default: mlops).
        json: print them as JSON, and nothing else.
    """
    store = _store(workspace)
    records = store.records()
    if json:
        sys.stdout.write(dumps({"tokens": [_shown(one) for one in records]}) + "\n")
        return
    console = Console()
    if not records:
        say(console, [f"there are no tokens in {near(store.path)}",
                      "next: deepfake-lightning token create NAME"])  # fmt: skip
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("name", overflow="fold")
    for head in ("scopes", "created", "expires", "rate"):
        table.add_column(head, no_wrap=True)
    for one in records:
        table.add_row(
            Text(one.name), ", ".join(one.scopes), _day(one.created), _end(store, one),
            one.rate or "server's",
        )  # fmt: skip
    console.print(table)
    say(console, [f"next: deepfake-lightning token revoke {records[-1].name}"])


def revoke(name: str, workspace: str | None = None) -> None:
    """Take a token's rights away; servers that run follow within about a second.

    Args:
        name: whose it is.
        workspace: where the workspace is (default: mlops).
    """
    record = _store(workspace).revoke(name)
    say(
        Console(),
        [f"the token of {record.name} is revoked; servers follow within about a second",
         f"next: deepfake-lightning token create {record.name} --scopes {','.join(record.scopes)}"],
    )  # fmt: skip


def _store(workspace: str | None) -> TokenStore:
    from deepfake_lightning.serving.access.tokens import FILE, TokenStore

    return TokenStore(Workspace.find(workspace).serving / FILE)


def _shown(record: TokenRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude={"sha256"})


def _end(store: TokenStore, record: TokenRecord) -> str:
    if record.expires is None:
        return "never"
    ended = store.has_ended(record)
    return f"{_day(record.expires)} (ended)" if ended else _day(record.expires)


def _day(at: Any) -> str:
    return str(at.date())
