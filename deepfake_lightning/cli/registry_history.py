"""``registry history``: what was registered and what served, and whether that record is whole."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from json import dumps
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.cli.registry_changes import FAULTS
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.deployment.acts import ChangeRecord
    from deepfake_lightning.registry.record import Change


def history(
    *versions: str,
    env: str | None = None,
    verify: bool = False,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Show what was done: who registered, deleted and deployed what, when and why.

    Changes of what serves are kept as a chain of hashes; --verify finds one that was changed, or
    that is missing. Exit codes: 0; 4 --verify found a fault; 2 wrong use, 1 the machine's fault.

    Args:
        versions: whose history it is (default: all).
        env: only what served there, production.
        verify: check the chain of changes, the decisions they rest on, and what serves now.
        workspace: where the workspace is (default: mlops).
        json: print the history as JSON, and nothing else.
    """
    from deepfake_lightning.deployment.chain import verify_history
    from deepfake_lightning.deployment.history import History, to_dict
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.schemas.version_names import canonical

    place, console = Workspace.find(workspace), Console()
    faults = verify_history(place) if verify else []
    wanted = {canonical(one) for one in versions}
    registered = [one for one in (() if env else Registry(place).index().history)
                  if not wanted or one.version in wanted]  # fmt: skip
    record = History(place)
    changes = (
        [] if faults else [one for one in record.changes(env) if not wanted or touches(one, wanted)]
    )
    if json:
        found = {"history": [one.model_dump() for one in registered],
                 "deployments": [to_dict(one) for one in changes]}  # fmt: skip
        sys.stdout.write(dumps(found | ({"faults": faults} if verify else {})) + "\n")
        return FAULTS if faults else 0
    if faults:
        say(console, [*faults, f"{record.path} is not what was written"])
        return FAULTS
    if registered or changes:
        console.print(_table(registered, changes))
    else:
        said = f" as {' or '.join(sorted(wanted))}" if wanted else ""
        say(console, [f"nothing was ever deployed in {env}" if env else
                      f"nothing was ever registered{said}"])  # fmt: skip
    if verify:
        number = len(record.changes())
        say(console, [f"{number:,} change{'' if number == 1 else 's'} of what serves, all whole"])
    return 0


def touches(change: ChangeRecord, versions: set[str]) -> bool:
    """Whether a change of what serves is of one of these versions."""
    return not versions.isdisjoint({*change.before.versions, *change.after.versions})


def _table(registered: Sequence[Change], changes: Sequence[ChangeRecord]) -> Table:
    lines: list[tuple[str, str, str, str, str]] = [
        (one.at, one.event, one.version, one.by, one.reason) for one in registered
    ]
    lines += [(one.at, f"{one.event}: {one.environment}", one.after.says, one.by, one.reason)
              for one in changes]  # fmt: skip
    table = Table(box=None, pad_edge=False)
    for head in ("at (UTC)", "what", "version"):
        table.add_column(head, no_wrap=head != "version")
    table.add_column("by: reason", overflow="fold")
    for at, what, version, by, reason in sorted(lines, key=lambda one: one[0]):
        said = f"{by}: {reason}" if reason else by
        table.add_row(at[:16].replace("T", " "), what, version, Text(printable(said)))
    return table
