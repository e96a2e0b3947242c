"""``registry push``, ``registry pull``: versions to an object storage, and from one."""

from __future__ import annotations

import sys
from json import dumps

from rich.console import Console

from deepfake_lightning.cli.data_sharing import megabytes
from deepfake_lightning.cli.printable import say
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace


def push(
    *versions: str,
    url: str,
    resend: bool = False,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Send versions, verified before, to a registry in an object storage.

    A version is seen there once all of it is there, and never changed. One that is there already
    is left; another bundle of the same name there is refused. Signatures go along, also later; one
    that is there stays.

    Credentials come from the environment or the AWS configuration, and the address of a storage
    that is not Amazon's from AWS_ENDPOINT_URL.

    Args:
        versions: to send (default: all).
        url: where to, a folder for versions alone.
        resend: send all files, also those that are there: one may be damaged.
        workspace: where the workspace is (default: mlops).
        json: print what was done as JSON, and nothing else.
    """
    from deepfake_lightning.errors import UsageError
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.sharing import push_version

    registry = Registry(Workspace.find(workspace))
    names = list(versions) or [one.version for one in registry.entries()]
    if not names:
        raise UsageError(
            f"no version is registered in {registry.models}",
            next_step="deepfake-lightning registry register --ckpt_path CHECKPOINT",
        )
    console = Console(stderr=json)
    with steps(console) as progress:
        made = [push_version(registry, one, url, resend=resend, progress=progress)
                for one in names]  # fmt: skip
    if json:
        found = [{"version": one.files.name, "digest": one.files.digest, "sent": one.sent,
                  "sent_bytes": one.sent_bytes, "was_there": one.was_there}
                 for one in made]  # fmt: skip
        sys.stdout.write(dumps({"schema": 1, "url": url, "versions": found}) + "\n")
        return
    lines = [f"{one.files.name}: " + ("was there already" if one.was_there else
             f"{one.sent:,} of {len(one.files.items):,} files sent ({megabytes(one.sent_bytes)})")
             for one in made]  # fmt: skip
    say(console, [*lines, f"next: deepfake-lightning registry pull --url {url}"])


def pull(
    *versions: str,
    url: str,
    by: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Bring versions from a registry in an object storage, and register them as they are called.

    Each file is held against its hash, and each bundle verified, before it is registered. A version
    that is here is left; one of the same name as another, or as one that was deleted, is refused,
    and left where all are brought. Interrupted, the same command goes on.

    Args:
        versions: to bring (default: all that are there).
        url: where they were pushed to.
        by: who takes them over (default: the user of this process).
        workspace: where the workspace is (default: mlops).
        json: print what was done as JSON, and nothing else.
    """
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.sharing import pull_all, pull_version

    registry, left = Registry(Workspace.find(workspace)), dict[str, str]()
    console = Console(stderr=json)
    with steps(console) as progress:
        if versions:
            made = [pull_version(registry, one, url, by=by, progress=progress) for one in versions]
        else:
            made, left = pull_all(registry, url, by=by, progress=progress)
    if json:
        found = [one._asdict() for one in made]
        sys.stdout.write(dumps({"schema": 1, "url": url, "versions": found, "left": left}) + "\n")
        return
    lines = [f"{one.version}: " + ("was here already" if one.was_here else
             f"registered, {one.fetched:,} files fetched, verified") for one in made]  # fmt: skip
    lines += [f"{version}: left, {why}" for version, why in left.items()]
    lines += [f"next: deepfake-lightning registry show {made[-1].version}"] if made else []
    say(console, lines)
