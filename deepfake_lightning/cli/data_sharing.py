"""``data push``, ``data pull``: a data set to an object storage, and from one."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path

from rich.console import Console

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import say
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace


def push(
    root: str, url: str, overwrite: bool = False, resend: bool = False, json: bool = False
) -> None:
    """Send a data set, its manifest and all files that it names, to an object storage.

    It is seen there once all of it is there. Interrupted, the same command goes on: what is there
    already is not sent again. Files are kept by their hashes, so that another state of the data
    takes the place of the last (with --overwrite) in one moment, and costs what is new in it.

    Credentials come from the environment or the AWS configuration, and the address of a storage
    that is not Amazon's from AWS_ENDPOINT_URL. What was pushed stays there until it is removed
    there: `log erase` does not reach it.

    Args:
        root: a data set, as for `fit`.
        url: where to, a folder for it alone.
        overwrite: replace another data set that is there.
        resend: send all files, also those that are there: one may be damaged.
        json: print what was done as JSON, and nothing else.
    """
    from deepfake_lightning.data.sharing import push_data

    console = Console(stderr=json)
    with steps(console) as progress:
        made = push_data(Path(root), url, overwrite=overwrite, resend=resend, progress=progress)
    files = made.files
    if json:
        record = {"schema": 1, "url": url, "digest": files.digest, "files": len(files.items),
                  "bytes": files.bytes, "sent": made.sent, "sent_bytes": made.sent_bytes,
                  "was_there": made.was_there}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    sent = f"{made.sent:,} sent ({megabytes(made.sent_bytes)})"
    say(console, [
        f"{url}: {len(files.items):,} files, {megabytes(files.bytes)}; {sent}",
        *(["all of it was there already"] if made.was_there else []),
        f"next: deepfake-lightning data pull {url} --out FOLDER",
    ])  # fmt: skip


def pull(
    url: str, out: str | None = None, workspace: str | None = None, json: bool = False
) -> None:
    """Bring a data set from an object storage into a folder, verified.

    Each file is held against the hash that it was pushed with. The folder is there once all of it
    is; interrupted, the same command goes on.

    Args:
        url: where it was pushed to.
        out: the folder to be (default: below data/ in the workspace, called as the address ends).
        workspace: where the workspace is (default: mlops).
        json: print what was done as JSON, and nothing else.
    """
    from deepfake_lightning.data.sharing import pull_data

    console = Console(stderr=json)
    folder = Path(out) if out else Workspace.find(workspace).data / url.rstrip("/").split("/")[-1]
    with steps(console) as progress:
        made = pull_data(url, folder, progress=progress)
    if json:
        record = {"schema": 1, "out": str(folder), "digest": made.files.digest,
                  "files": len(made.files.items), "bytes": made.files.bytes,
                  "fetched": made.fetched, "rows": len(made.manifest)}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    say(console, [
        f"{near(folder)}: {len(made.manifest):,} rows, {len(made.files.items):,} files, "
        f"{megabytes(made.files.bytes)}; {made.fetched:,} fetched, all verified",
        f"next: deepfake-lightning data show {near(folder)}",
    ])  # fmt: skip


def megabytes(count: int) -> str:
    """Return a number of bytes as it is shown."""
    return f"{count / 1e6:,.1f} MB"
