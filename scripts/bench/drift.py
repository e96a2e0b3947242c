"""How often drift is found where there is none, and how soon where there is.

A registered detector scores pictures that it has not learnt from: those of the data set's other
splits as they are (clean), changed, and faces of clips of another data set. Windows are drawn from
them and judged as in production, beside two rules in common use: any feature with a
Kolmogorov-Smirnov p-value below 0.01, and any with a population stability index above 0.1, the
embedding aside.

    python scripts/bench/drift.py WORKSPACE v1.0.0 FACES --clips FOLDER

The pool is finite: windows that follow each other are disjoint, but more than a few share items, so
that they vary less than windows of other people would.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from drift_pool import CHANGES, Pool, clips_pool, faces_pool, joined
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.metrics.drift import population_stability
from deepfake_lightning.monitoring.drift.judging import judge
from deepfake_lightning.monitoring.drift.policy import EMBEDDING, FEATURES, DriftPolicy
from deepfake_lightning.monitoring.drift.records import DriftRecord
from deepfake_lightning.monitoring.drift.reference import DriftReference, bundle_reference
from deepfake_lightning.monitoring.drift.windows import DriftWindow
from deepfake_lightning.registry import Registry
from deepfake_lightning.storage import Workspace

HOUR_US = 3_600_000_000
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
POLICY = DriftPolicy()
RULES = ("moved", "confirmed", "KS p < 0.01", "PSI > 0.1")

Rows = NDArray[np.int64]


@dataclass
class Said:
    """What was found in windows.

    Attributes:
        rules: whether each of ``RULES`` speaks, [W, rules].
        records: of the windows.
        follows: whether a window has one before it, without which nothing is confirmed, [W].
    """

    rules: list[tuple[bool, ...]] = field(default_factory=list)
    records: list[DriftRecord] = field(default_factory=list)
    follows: list[bool] = field(default_factory=list)

    def add(self, windows: Iterable[Pool], reference: DriftReference) -> None:
        """Judge windows in a row."""
        before = None
        for pool in windows:
            start = len(self.records) * HOUR_US
            self.follows.append(before is not None)
            window = DriftWindow("study", "v", start, start + HOUR_US, *3 * [len(pool)])
            before = judge(window, pool.items(), reference, POLICY, before)
            self.records.append(before)
            self.rules.append(_rules(before, pool, reference))


def _rules(record: DriftRecord, pool: Pool, reference: DriftReference) -> tuple[bool, ...]:
    pairs = [(reference.logit, pool.logit)]
    pairs += list(zip(reference.quality.T, pool.quality.T, strict=True))
    plain = any(one.p < 0.01 for one in record.features if one.feature != EMBEDDING)
    stable = any(population_stability(one, other) > 0.1 for one, other in pairs)
    return record.moved, record.confirmed, plain, stable


def disjoint(generator: np.random.Generator, size: int, windows: int) -> Rows:
    """Return rows of windows without a common item, int64 [windows, items]."""
    return generator.permutation(size)[: windows * POLICY.items].reshape(windows, -1)


def clean_windows(pool: Pool, reference: DriftReference, number: int) -> Said:
    """Judge clean windows beside the bundle's reference, four disjoint ones in a row each time."""
    generator, said = np.random.default_rng(1), Said()
    while len(said.rules) < number:
        rows = disjoint(generator, len(pool), len(pool) // POLICY.items)
        said.add((pool.take(part) for part in rows), reference)
    return said


def fresh_windows(pool: Pool, reference: DriftReference, number: int) -> Said:
    """Judge clean windows, each two in a row beside a reference of their own.

    References and windows are drawn from the items of the bundle's reference and of the pool
    together, so that what one reference errs in is not counted a thousand times.
    """
    generator, size, said = np.random.default_rng(2), len(reference.logit), Said()
    unknown = np.zeros(size, bool)
    both = joined([pool, Pool(reference.logit, reference.quality, reference.projections, unknown)])
    while len(said.rules) < number:
        rows = generator.permutation(len(both))
        drawn = both.take(rows[:size])
        own = replace(reference, logit=drawn.logit, quality=drawn.quality,
                      projections=drawn.projections)  # fmt: skip
        rest = rows[size : size + 2 * POLICY.items].reshape(2, -1)
        said.add((both.take(part) for part in rest), own)
    return said


def shifted(
    clean: Pool, change: Pool, share: float, generator: np.random.Generator, windows: int
) -> Iterator[Pool]:
    """Yield windows in a row, of which a share of the items is from another pool."""
    # Not the items of the clean part where both are of the same pictures.
    same = len(clean) == len(change)
    other = np.resize(generator.permutation(len(change)), windows * POLICY.items)
    for at, rows in enumerate(disjoint(generator, len(clean), windows)):
        number = round(share * POLICY.items)
        chosen = rows[:number] if same else other[at * POLICY.items :][:number]
        yield joined([clean.take(rows[number:]), change.take(chosen)])


def power(
    clean: Pool, changes: dict[str, Pool], reference: DriftReference, sequences: int
) -> list[dict[str, Any]]:
    """Return for each change and share how often each rule speaks, and after how many windows."""
    generator, windows, rows = np.random.default_rng(3), len(clean) // POLICY.items, []
    for name, pool in changes.items():
        for share in SHARES if sequences else ():
            found = Said()
            for _ in range(sequences):
                found.add(shifted(clean, pool, share, generator, windows), reference)
            said = np.array(found.rules).reshape(sequences, windows, -1)
            confirmed = said[:, :, 1]
            delays = confirmed.argmax(axis=1)[confirmed.any(axis=1)] + 1
            rows.append({
                "change": name, "share": share, "windows": sequences * windows,
                **{rule: float(said[:, :, at].mean()) for at, rule in enumerate(RULES)},
                "confirmed": float(confirmed[:, 1:].mean()),
                "delay": float(np.median(delays)) if len(delays) else None,
                "found": float(confirmed.any(axis=1).mean()),
            })  # fmt: skip
            print(json.dumps(rows[-1]), flush=True)
    return rows


def alarms(found: Said) -> dict[str, Any]:
    """Return how often each rule spoke, with the 95 % interval, and how large effects were."""
    said, spoke = np.array(found.rules), {}
    for at, rule in enumerate(RULES):
        number = sum(found.follows) if rule == "confirmed" else len(said)
        count = int(said[:, at].sum())
        ends = binomtest(count, number).proportion_ci()  # Clopper and Pearson
        spoke[rule] = (count, number, float(ends.low), float(ends.high))
    effects = {
        name: np.quantile([one.of(name).effect for one in found.records], (0.5, 0.95, 0.99, 1))
        for name in FEATURES
    }
    moved = {name: sum(name in one.moved_features for one in found.records) for name in FEATURES}
    rounded = {name: values.round(3).tolist() for name, values in effects.items()}
    return {"rules": spoke, "moved": moved, "effects": rounded}


def pools(
    bundle: Bundle, manifest: Path, faces: Path, clips: Path | None, cache: Path | None
) -> dict[str, Pool]:
    """Return the scored items by name, from a file where they were scored before."""
    if cache is not None and cache.is_file():
        with np.load(cache, allow_pickle=False) as kept:
            names = sorted({name.partition("/")[0] for name in kept.files})
            return {name: Pool(**{part.name: kept[f"{name}/{part.name}"] for part in fields(Pool)})
                    for name in names}  # fmt: skip
    found = faces_pool(bundle, manifest, faces)
    if clips is not None:
        files = sorted(clips.rglob("*.mp4"))
        fake = ["manipulated" in str(file) for file in files]
        found["ffpp"] = clips_pool(bundle, files, fake, 75)
    if cache is not None:
        with cache.open("wb") as file:
            parts = {f"{name}/{part.name}": getattr(pool, part.name)
                     for name, pool in found.items() for part in fields(Pool)}  # fmt: skip
            np.savez(file, **parts)
    return found


def tables(report: dict[str, Any]) -> None:
    """Print what was found."""
    console = Console(width=100)
    for title in ("bundle's reference", "a reference of their own"):
        table = Table("rule", "spoke", "of clean windows", "share", "95 %", title=title)
        for rule, (spoke, number, low, high) in report["clean"][title]["rules"].items():
            table.add_row(rule, str(spoke), str(number), f"{spoke / number:.3f}",
                          f"{low:.4f} to {high:.4f}")  # fmt: skip
        console.print(table)
        table = Table("feature", "moved", "median", "95 %", "99 %", "largest effect", title=title)
        for name, values in report["clean"][title]["effects"].items():
            moved = report["clean"][title]["moved"][name]
            table.add_row(name, str(moved), *(f"{value:.3f}" for value in values))
        console.print(table)
    table = Table("change", "share", *RULES, "found", "delay", title="shifted traffic")
    for row in report["power"]:
        delay = "-" if row["delay"] is None else f"{row['delay']:g}"
        table.add_row(
            row["change"],
            f"{row['share']:.0%}",
            *(f"{row[rule]:.2f}" for rule in RULES),
            f"{row['found']:.2f}",
            delay,
        )
    console.print(table)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("version")
    parser.add_argument("faces", type=Path, help="root of the manifest's pictures")
    parser.add_argument("--clips", type=Path, help="folder with clips of another data set")
    parser.add_argument("--cache", type=Path, help="file for the scored items")
    parser.add_argument("--windows", type=int, default=1000, help="clean ones")
    parser.add_argument(
        "--fresh", type=int, default=400, help="clean ones with their own reference"
    )
    parser.add_argument("--sequences", type=int, default=10, help="of each change and share")
    parser.add_argument("--json", type=Path, help="file for all figures")
    flags = parser.parse_args()
    registry, started = Registry(Workspace(flags.workspace)), time.monotonic()
    bundle = registry.bundle(flags.version)
    run = registry.run_of(registry.get(flags.version))
    found = pools(bundle, run / "manifest.parquet", flags.faces, flags.clips, flags.cache)
    clean, reference = found["clean"], bundle_reference(bundle)
    changes = {name: found[name] for name in CHANGES}
    changes["fakes alone"] = clean.take(np.flatnonzero(clean.fake))
    if "ffpp" in found:
        other = found["ffpp"]
        changes["FF++ clips, real"] = other.take(np.flatnonzero(~other.fake))
        changes["FF++ clips, other methods"] = other.take(np.flatnonzero(other.fake))
    report = {
        "reference": len(reference.logit), "pool": len(clean),
        "clean": {
            "bundle's reference": alarms(clean_windows(clean, reference, flags.windows)),
            "a reference of their own": alarms(fresh_windows(clean, reference, flags.fresh)),
        },
        "power": power(clean, changes, reference, flags.sequences),
    }  # fmt: skip
    report["seconds"] = round(time.monotonic() - started)
    tables(report)
    if flags.json is not None:
        flags.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
