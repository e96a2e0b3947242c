"""``registry list``, ``show``, ``diff``: the versions there are, and what they are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from json import dumps
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import printable, say
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.registry import Entry

SHOWN = 20


def list_versions(workspace: str | None = None, all: bool = False, json: bool = False) -> None:
    """List the registered versions: where they serve, how good they are, who registered them.

    Figures are of items of the test split, with 95 % intervals.

    Args:
        workspace: where the workspace is (default: mlops).
        all: list every version; else the 20 highest.
        json: print everything as JSON, and nothing else.
    """
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.aliases import aliases_of, read_environments

    registry = Registry(Workspace.find(workspace))
    entries = registry.entries(None if all or json else SHOWN)
    serves = aliases_of(read_environments(registry.workspace.environments))
    if json:
        versions = [{**one.to_dict(), "serves": list(serves.get(one.version, ()))}
                    for one in entries]  # fmt: skip
        sys.stdout.write(dumps({"versions": versions}) + "\n")
        return
    console = Console()
    if entries:
        console.print(_list_table(entries, serves))
    lines = []
    if (more := len(registry) - len(entries)) > 0:
        lines.append(f"and {more:,} lower versions: pass --all true")
    if any(one.is_demo for one in entries):
        lines.append("* trained on drawn faces: it says nothing of real ones")
    if not entries:
        lines.append(f"no version is registered in {registry.models}")
    command = "register --ckpt_path CHECKPOINT"
    if entries:
        command = f"show {entries[-1].version}"
    lines.append(f"next: deepfake-lightning registry {command}")
    say(console, lines)


def _list_table(entries: Sequence[Entry], serves: dict[str, tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("version", "serves", "AUROC (95 %)", "EER", "items"):
        table.add_column(head, no_wrap=head != "serves")
    table.add_column("registered", no_wrap=True)
    table.add_column("by: reason", overflow="fold")
    for one in reversed(entries):
        of = one.registration
        measured = one.split is not None
        table.add_row(
            of.version + (" *" if one.is_demo else ""),
            Text(printable(", ".join(serves.get(of.version, ())) or "-")),
            _value(one, "auroc", True) if measured else "not measured",
            _value(one, "eer", False) if measured else "",
            f"{one.items:,}" if one.items is not None else "",
            of.registered[:10],
            Text(printable(f"{of.by}: {of.reason}" if of.reason else of.by)),
        )
    return table


def _value(entry: Entry, name: str, with_span: bool) -> str:
    from deepfake_lightning.evaluation.words import number, with_interval
    from deepfake_lightning.schemas.measured import MeasuredValue

    one = entry.metrics.get(name, MeasuredValue(value=None))
    return with_interval(one) if with_span else number(one.value)


def show(version: str, workspace: str | None = None, json: bool = False) -> None:
    """Show a version: who registered it and why, its model card, where it serves.

    Its files are verified first.

    Args:
        version: its name, `latest`, or an environment: production.
        workspace: where the workspace is (default: mlops).
        json: print everything but the card as JSON, and nothing else.
    """
    from dataclasses import asdict

    from deepfake_lightning.bundle.load import CARD
    from deepfake_lightning.evaluation.robustness.ledger import latest_robustness
    from deepfake_lightning.evaluation.robustness.words import kept_words
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.aliases import aliases_of, read_environments
    from deepfake_lightning.registry.entries import read_measured
    from deepfake_lightning.registry.signatures import signature_files, signatures_of

    registry = Registry(Workspace.find(workspace))
    bundle = registry.bundle(version)
    entry = registry.get(bundle.record.version)
    signed = [one.stem for one in signature_files(signatures_of(registry.root, entry.version))]
    serves = aliases_of(read_environments(registry.workspace.environments)).get(entry.version, ())
    degraded = latest_robustness(registry.workspace, entry.digest)
    if json:
        measured = read_measured(bundle)
        record = {**entry.to_dict(), "folder": str(bundle.folder), "serves": list(serves),
                  "signatures": signed, "measured": measured and measured.to_dict(),
                  "robustness": degraded and asdict(degraded),
                  "calibration": bundle.calibration.to_dict()}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    not_yet = f"not measured: deepfake-lightning evaluate {entry.version} --robustness true"
    robustness = kept_words(degraded) if degraded else not_yet
    console = Console()
    card = printable_lines(bundle.read(CARD).decode("utf-8"))
    console.print(Markdown(card) if console.is_terminal else Text(card))
    say(console, _about(entry, serves, near(bundle.folder), signed, robustness))


def printable_lines(text: str) -> str:
    """Return text of several lines without what moves the cursor otherwise."""
    return "\n".join(printable(line) for line in text.splitlines())


def _about(
    entry: Entry, serves: Sequence[str], folder: str, signed: Sequence[str],
    robustness: str,
) -> list[str]:  # fmt: skip
    of = entry.registration
    lines = [
        f"registered {of.registered[:16].replace('T', ' ')} UTC by {of.by}"
        + (f": {of.reason}" if of.reason else ""),
        f"parent: {of.parent or 'none'}",
    ]
    if of.source is not None:
        lines.append(f"training: {of.source.experiment}/{of.source.run}")
    if signed:
        lines.append(f"signatures, to be verified: by key {', '.join(signed)}")
    lines += [
        f"robustness: {robustness}",
        f"serves: {', '.join(serves) or 'nowhere'}",
        f"bundle: {folder} ({entry.bytes / 1e6:.1f} MB, sha256 {entry.digest[:16]})",
        f"next: deepfake-lightning predict FILE --version {entry.version}",
    ]
    return lines


def diff(first: str, second: str, workspace: str | None = None, json: bool = False) -> None:
    """Say in what two versions differ: configuration, data, calibration, code; and their figures.

    Args:
        first: a version.
        second: another one.
        workspace: where the workspace is (default: mlops).
        json: print the differences as JSON, and nothing else.
    """
    from dataclasses import asdict

    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.differences import differences

    registry = Registry(Workspace.find(workspace))
    bundles = [registry.bundle(name) for name in (first, second)]
    entries = [registry.get(bundle.record.version) for bundle in bundles]
    found = differences(*bundles)
    if json:
        record: dict[str, Any] = {
            "first": entries[0].to_dict(), "second": entries[1].to_dict(),
            "differences": [asdict(one) for one in found],
        }  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    names = [one.version for one in entries]
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(name, overflow="fold")
    for metric in dict.fromkeys([*entries[0].metrics, *entries[1].metrics]):
        table.add_row(metric, *(_value(one, metric, True) if one.split else "not measured"
                                for one in entries))  # fmt: skip
    section = ""
    for each in found:
        if each.section != section:
            section = each.section
            table.add_row(Text(section, style="bold"))
        table.add_row(Text(printable(f"  {each.name}")), *map(_shown, (each.first, each.second)))
    console = Console()
    console.print(table)
    lines = [] if found else ["configuration, data, preprocessing, calibration and code are equal"]
    lines.append(f"which one is better: deepfake-lightning compare {names[0]} {names[1]}")
    say(console, lines)


def _shown(value: Any) -> Text:
    if value is None:
        return Text("-")
    text = value if isinstance(value, str) else dumps(value, ensure_ascii=False)
    return Text(printable(text if len(text) <= 80 else f"{text[:77]}..."))
