"""``registry mirror`` and ``registry fetch``: versions to an MLflow server, and back."""

from __future__ import annotations

import sys
from json import dumps

from rich.console import Console

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import say
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

NAME = "deepfake-detector"


def mirror(
    *versions: str,
    server: str | None = None,
    experiment: str = NAME,
    model: str = NAME,
    resend: bool = False,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Tell an MLflow server of versions: files, figures with intervals, lineage, what serves.

    The registry stays the truth; the server has a copy, in which nothing is deleted. What is there
    already is left, so a second time changes nothing, and one that was cut short goes on.

    Args:
        versions: to tell of (default: all).
        server: its address (default: $MLFLOW_TRACKING_URI, which other users do not see as they
            see flags). User and password: $MLFLOW_TRACKING_USERNAME, $MLFLOW_TRACKING_PASSWORD;
            a token: $MLFLOW_TRACKING_TOKEN.
        experiment: what the runs are kept in there.
        model: the registered model there.
        resend: send all files, also those that are there: one may be damaged.
        workspace: where the workspace is (default: mlops).
        json: print what was done as JSON, and nothing else.
    """
    from dataclasses import asdict

    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.mirror.place import Names
    from deepfake_lightning.registry.mirror.pushing import mirror as mirrored
    from deepfake_lightning.registry.mirror.server import open_server

    registry, console = Registry(Workspace.find(workspace)), Console(stderr=json)
    with open_server(server) as opened, steps(console) as progress:
        names = Names(experiment, model)
        done = mirrored(registry, opened, versions, names, progress, resend=resend)
    if json:
        record = {"server": opened.uri, "versions": [asdict(one) for one in done]}
        sys.stdout.write(dumps(record) + "\n")
        return
    lines = [f"{one.version}: {model} {one.number}{'' if one.changed else ', as it was'}"
             for one in done]  # fmt: skip
    lines.append(f"{len(done):,} version{'' if len(done) == 1 else 's'} at {opened.uri}")
    if done:
        lines.append(f"elsewhere: deepfake-lightning registry fetch {done[-1].version}")
    say(console, lines)


def fetch(
    version: str,
    server: str | None = None,
    model: str = NAME,
    digest: str | None = None,
    most_mb: float = 2000.0,
    reason: str = "",
    by: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Register a version that an MLflow server has a mirror of, with every byte as it was.

    Each file has to be what its hash says, and all of them what the digest says; what is changed,
    too much, too large or called otherwise is refused, and nothing is registered then. Whoever can
    write on the server can change the digest, too: name it with --digest (`registry export`
    says it), or ask for signatures (configs/signing.yaml), which come along.

    Args:
        version: its name, v1.0.0.
        server: address of the server (default: $MLFLOW_TRACKING_URI), as for `registry mirror`.
        model: the registered model there.
        digest: what the version has to be: 64 signs.
        most_mb: how large it may be, 10^6 bytes.
        reason: why, for the history.
        by: who registers it (default: the user of this process).
        workspace: where the workspace is (default: mlops).
        json: print the registered version as JSON, and nothing else.
    """
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.mirror.fetching import Source
    from deepfake_lightning.registry.mirror.fetching import fetch as fetched
    from deepfake_lightning.registry.mirror.server import open_server

    registry, console = Registry(Workspace.find(workspace)), Console(stderr=json)
    with open_server(server) as opened, steps(console) as progress:
        source = Source(opened, model, digest, most_mb)
        entry = fetched(registry, version, source, by=by, reason=reason, progress=progress)
    folder = registry.folder(entry.version)
    if json:
        sys.stdout.write(dumps({**entry.to_dict(), "folder": str(folder)}) + "\n")
        return
    say(
        console,
        [f"registered as {entry.version}: {near(folder)}", f"sha256 {entry.digest}",
         f"next: deepfake-lightning registry show {entry.version}"],
    )  # fmt: skip
