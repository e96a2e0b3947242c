"""``registry register``, ``export``, ``delete``, ``verify``: what changes and checks versions."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from deepfake_lightning.cli.detector_choice import check_one
from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import say
from deepfake_lightning.cli.registry_signing import verifying_keys
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.registry import Entry

FAULTS = 4


def register(
    ckpt_path: str | None = None,
    bundle: str | None = None,
    version: str | None = None,
    bump: Literal["major", "minor", "patch", "prerelease"] = "minor",
    reason: str = "",
    parent: str | None = None,
    by: str | None = None,
    run: str | None = None,
    workers: int | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Register a checkpoint or a bundle as a version, which is never changed again.

    A checkpoint is calibrated on its training's calib split (unless it is already), made a bundle
    and measured on the test split; a bundle is taken as it is. One that was exported from another
    registry keeps its version. Interrupted, nothing is registered.

    Args:
        ckpt_path: a checkpoint of `fit`.
        bundle: folder of a bundle, instead.
        version: its name, v1.2.0 or v2.0.0-rc.1 (default: the next free one).
        bump: which number of the highest version goes up, where no version is given.
        reason: why, for the history.
        parent: the version that it was made from or is to follow.
        by: who registers it (default: the user of this process).
        run: the training's folder, where the checkpoint lies elsewhere.
        workers: processes that score (default: as many as there are cores).
        workspace: where the workspace is (default: mlops).
        json: print the registered version as JSON, and nothing else.
    """
    check_one(ckpt_path=ckpt_path, bundle=bundle)
    from deepfake_lightning.registry import Registry, Wish, check_wish, register_bundle

    registry = Registry(Workspace.find(workspace))
    wish = Wish(version, bump, reason, by, parent)
    check_wish(registry, wish)  # before PyTorch is imported
    console = Console(stderr=json)
    notes: tuple[str, ...] = ()
    report: Path | None = None
    if bundle is not None:
        entry = register_bundle(registry, Path(bundle), wish)
    else:
        from deepfake_lightning.release import release_checkpoint

        with steps(console) as progress:
            made = release_checkpoint(
                registry, Path(str(ckpt_path)), wish, run=Path(run) if run else None,
                workers=workers, progress=progress,
            )  # fmt: skip
        entry, notes, report = made.entry, made.notes, made.report
    if json:
        record = {**entry.to_dict(), "folder": str(registry.folder(entry.version)),
                  "report": report and str(report), "notes": list(notes)}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    lines = [f"registered as {entry.version}: {near(registry.folder(entry.version))}"]
    lines += _figures(entry)
    lines += [f"note: {note}" for note in notes]
    if entry.is_demo:
        lines.append("trained on drawn faces: it says nothing of real ones")
    if report is not None:
        lines.append(f"report: {near(report / 'report.html')}")
    lines.append(f"next: deepfake-lightning registry show {entry.version}")
    say(console, lines)


def _figures(entry: Entry) -> list[str]:
    from deepfake_lightning.evaluation.words import with_interval

    auroc = entry.metrics.get("auroc")
    if auroc is None:
        return []
    return [f"AUROC {with_interval(auroc)} over {entry.items:,} items of the {entry.split} split"]


def export(version: str, out: str | None = None, workspace: str | None = None) -> None:
    """Copy a version out of the registry: a folder, or a .tar or .tar.gz file, that is a bundle.

    Args:
        version: its name, `latest`, or an environment: production.
        out: what to write; it must not exist (default: VERSION.tar.gz, here).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.exporting import export_version

    registry = Registry(Workspace.find(workspace))
    place = Path(out or f"{registry.get(version).version}.tar.gz")
    digest = export_version(registry, version, place)
    say(
        Console(),
        [f"{place}: sha256 {digest}",
         "next: unpacked where it is wanted, deepfake-lightning registry register --bundle FOLDER"],
    )  # fmt: skip


def delete(
    version: str, reason: str = "", by: str | None = None, workspace: str | None = None
) -> None:
    """Delete a version: never one that is deployed, or that such a one was made from.

    Its number is not given again, and the history keeps who deleted it and why.

    Args:
        version: its name.
        reason: why; there has to be one.
        by: who deletes it (default: the user of this process).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.registry import Registry, delete_version

    change = delete_version(Registry(Workspace.find(workspace)), version, reason=reason, by=by)
    say(Console(), [f"{change.version} is deleted; its number is not given again"])


def verify(
    *versions: str,
    repair: bool = False,
    signed: bool = False,
    key: str | None = None,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Check that every version is what was registered: its files, the index, what is deployed.

    With --signed or --key also that a trusted key has signed every file of it.

    Exit codes: 0 all is whole; 4 something is not; 2 wrong use, 1 the machine's fault.

    Args:
        versions: to check (default: all).
        repair: list anew what is there, also where the index is lost; no version is changed.
        signed: ask for a signature by one of the keys of deployment/policy/signing.yaml.
        key: ask for one by this public key, a PEM file.
        workspace: where the workspace is (default: mlops).
        json: print what was found as JSON, and nothing else.
    """
    from dataclasses import asdict, replace

    from deepfake_lightning.errors import UsageError
    from deepfake_lightning.registry import Registry, repair_registry, verify_registry
    from deepfake_lightning.registry.trust import unsigned

    if repair and versions:
        raise UsageError("--repair lists all versions anew", next_step="name none")
    registry = Registry(Workspace.find(workspace))
    keys = verifying_keys(registry.workspace, key) if signed or key else ()
    console = Console(stderr=json)
    with steps(console) as progress:
        found = (
            repair_registry(registry, progress)
            if repair
            else verify_registry(registry, versions, progress)
        )
    if keys:
        told = {fault.version for fault in found.faults}
        every = [registry.get(one).version for one in versions or registry.index().entries]
        missing = unsigned(registry, [one for one in every if one not in told], keys)
        found = replace(found, faults=found.faults + missing)
    if json:
        sys.stdout.write(dumps(asdict(found)) + "\n")
        return FAULTS if found.faults else 0
    lines = [f"{one.version}: {one.what}\n  next: {one.next_step}" for one in found.faults]
    number = f"{found.versions:,} version{'' if found.versions == 1 else 's'}"
    faults = f"{len(found.faults):,} fault{'' if len(found.faults) == 1 else 's'}"
    whole = f"{number}, all whole{', and signed' if keys else ''}"
    if found.faults:
        whole = f"{number}: {faults}"
    lines += [f"repaired: {said}" for said in found.repaired]
    say(console, [*lines, whole])
    return FAULTS if found.faults else 0
