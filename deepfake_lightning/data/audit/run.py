"""The audit of a manifest, and the check that a training makes before it starts."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.audit.copies import content_hashes, look_at_content, look_at_copies
from deepfake_lightning.data.audit.findings import (
    AuditReport,
    FeatureResult,
    Finding,
    check_kinds,
    in_order,
)
from deepfake_lightning.data.audit.leaks import SHOWN, look_at_names
from deepfake_lightning.data.audit.official import look_at_official_tests
from deepfake_lightning.data.audit.shortcuts import enough, look_at_probe, probe
from deepfake_lightning.data.audit.statistics import FEATURES, Statistics, measure
from deepfake_lightning.data.splits import HELD_APART, identity_groups
from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.schemas import Manifest

SAMPLE = 20_000
_SAMPLE_BEFORE_TRAINING = {"image": 2000, "video": 200}  # seconds to a minute


def audit(
    manifest: Manifest,
    *,
    sample: int | None = SAMPLE,
    official_tests: Collection[str] = (),
    workers: int | None = None,
    processes: bool = True,
    started: Callable[[int], None] = lambda todo: None,
    progress: Callable[[], None] = lambda: None,
) -> AuditReport:
    """Return what is wrong with a data set before anything is trained on it.

    Names, labels and identical files are looked at in all rows. Statistics and copies that look
    the same come from one file an item (the middle one of a clip's pictures), of at most
    ``sample`` items.

    Args:
        manifest: with or without splits.
        sample: most items that are opened and measured; None: all.
        official_tests: items of published test lists, see ``look_at_official_tests``.
        workers: files measured at a time; None: as many as there are cores.
        processes: with processes, so that a file that crashes its decoder costs itself only;
            otherwise with threads.
        started: told how many files are measured.
        progress: told of each file that is done.

    Raises:
        UsageError: the sample is no number above 0.
    """
    if sample is not None and sample < 1:
        raise UsageError(f"sample is {sample}", next_step="measure one item or more")
    files = _files(manifest)
    chosen = _chosen(files, sample)
    measured = measure(
        [manifest.root / path for path in chosen["path"]],
        (chosen["media_type"] == "video").tolist(),
        workers=workers, processes=processes, started=started, progress=progress,
    )  # fmt: skip
    return judge(manifest, files, chosen, measured, official_tests)


def judge(
    manifest: Manifest,
    files: pd.DataFrame,
    chosen: pd.DataFrame,
    measured: Statistics,
    official_tests: Collection[str] = (),
) -> AuditReport:
    """Return the report of what was measured.

    Args:
        manifest: the data.
        files: its usable rows, one a file, with the column ``identity``.
        chosen: those of them that were measured.
        measured: their statistics, in the same order.
        official_tests: items of published test lists.
    """
    results, constant, found = _shortcuts(chosen, measured)
    hashes = content_hashes(files, manifest.root)
    of_path = pd.Series(hashes.to_numpy(), files["path"], dtype="string")
    found += [
        *look_at_names(manifest),
        *look_at_official_tests(manifest, official_tests),
        *look_at_content(files, hashes),
        *look_at_copies(chosen, measured, of_path.reindex(chosen["path"])),
        *_unreadable(measured),
    ]
    return AuditReport(
        origin=str(manifest.origin),
        content_hash=manifest.content_hash(),
        policy=manifest.policy,
        counts=manifest.counts(),
        files=len(files),
        measured=len(chosen) - len(measured.faults),
        findings=in_order(found),
        probe=tuple(results),
        constant=tuple(constant),
    )


def check_before_training(
    manifest: Manifest,
    allowed: Collection[str] = (),
    *,
    sample: int | None = None,
    workers: int | None = None,
) -> AuditReport:
    """Audit data that are about to be trained on, and refuse leaks.

    Files are measured with threads: a script that trains may have no ``__main__`` guard, which
    processes of its own would need, and training opens the same files in its process anyway.

    Args:
        manifest: with the splits of the training.
        allowed: kinds of finding that are let through; the run has to record them.
        sample: most items that are measured; None: 2,000 pictures, or 200 where there are clips.
        workers: files measured at a time; None: as many as there are cores.

    Returns:
        the report, with warnings to be shown.

    Raises:
        SplitError: there are leaks that are not allowed by name.
        UsageError: ``allowed`` holds a name that is no kind of finding.
    """
    check_kinds(allowed)
    has_clips = (manifest.rows["media_type"] == "video").any()
    usual = _SAMPLE_BEFORE_TRAINING["video" if has_clips else "image"]
    report = audit(manifest, sample=sample or usual, workers=workers, processes=False)
    refused = report.refused(allowed)
    if refused:
        raise SplitError(
            f"{report.origin} leaks:\n" + "\n".join(f"  {f.kind}: {f.what}" for f in refused),
            why="its figures would be better than the detector is",
            next_step=f"{refused[0].next_step}; or train all the same, which the run records: "
            f"--audit_allow [{','.join(dict.fromkeys(f.kind for f in refused))}]",
        )
    return report


def _files(manifest: Manifest) -> pd.DataFrame:
    """Return the usable rows, one for each file, with the identity group of each."""
    rows = manifest.rows.assign(identity=identity_groups(manifest.rows))
    return rows[manifest.usable()].drop_duplicates("path").reset_index(drop=True)


def _chosen(files: pd.DataFrame, sample: int | None) -> pd.DataFrame:
    """Return one file of each item, of at most ``sample`` items; what plays no part comes last."""
    items = files.groupby("video_id", sort=False)
    middle = items.cumcount() == items["path"].transform("size") // 2
    chosen = files[middle]
    if sample is not None and len(chosen) > sample:
        idle = ~chosen["split"].isin(HELD_APART) & chosen["split"].notna()
        mixed = np.random.default_rng(0).permutation(len(chosen))
        order = mixed[np.argsort(idle.to_numpy(bool)[mixed], kind="stable")]
        chosen = chosen.iloc[np.sort(order[:sample])]
    return chosen.reset_index(drop=True)


def _shortcuts(
    chosen: pd.DataFrame, measured: Statistics
) -> tuple[list[FeatureResult], list[str], list[Finding]]:
    """Return the probe's results, the statistics that do not vary, and the findings."""
    source = [name for name, feature in FEATURES.items() if feature.about == "source"]
    table = pd.concat([measured.table, chosen.reindex(columns=source)], axis=1)
    readable = measured.table["file_size"].notna().to_numpy(bool)
    used = readable & chosen["label"].notna().to_numpy(bool)
    labels = chosen.loc[used, "label"].to_numpy(np.int64)
    groups: NDArray[np.int64] = chosen.loc[used, "identity"].to_numpy(np.int64)
    if len(np.unique(labels)) < 2:  # said by those who look at the labels
        return [], [], []
    if not enough(labels, groups):
        counts = {"real": int((labels == 0).sum()), "fake": int((labels == 1).sum())}
        note = Finding(
            "too_small", "note",
            f"{counts['real']} real and {counts['fake']} fake items are too few to look for "
            "shortcuts", counts, "audit again with 20 items of 10 people or more in each class",
        )  # fmt: skip
        return [], [], [note]
    results, constant = probe(table[used].reset_index(drop=True), labels, groups)
    return results, constant, look_at_probe(results)


def _unreadable(measured: Statistics) -> list[Finding]:
    if not measured.faults:
        return []
    path, fault = next(iter(measured.faults.items()))
    examples = {str(p): f for p, f in list(measured.faults.items())[:SHOWN]}
    return [
        Finding(
            "unreadable",
            "warning",
            f"{len(measured.faults):,} files could not be measured: {path} {fault}",
            {"files": len(measured.faults), "examples": examples},
            "replace or remove them",
        )
    ]
