"""Named protocols: what stands in which split, and what it is called in ``metadata.json``.

- ``random``: all data, drawn by identity.
- ``official``: the data's own splits as they are, leaks counted. Where those of a data set name no
  ``train`` (a list of test media, say), its rest is drawn into the splits they lack.
- ``leave-one-method-out:NAME``: drawn by identity; only ``test`` and ``gate`` hold fakes of NAME,
  and no others. The rest is ``unused``.
- ``leave-one-method-out:NAME,CHOOSER``: likewise, and only ``val`` and ``calib`` hold fakes of
  CHOOSER, and no others: checkpoint, hyperparameters and thresholds are chosen on a method that was
  not trained on, and measured on a third.
- ``cross-dataset:A->B``: ``train``, ``val`` and ``calib`` are drawn from A, ``test`` and ``gate``
  from B (several: ``A,C->B``). Other data sets are ``unused``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from deepfake_lightning.data.splits.checking import check_splits, leaks
from deepfake_lightning.data.splits.draw import DataSetDraw, Draw, Unit, draw
from deepfake_lightning.data.splits.shares import DRAWN_SPLITS, check_shares, shares_of
from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.schemas import Manifest

SHARES = {"train": 0.65, "val": 0.1, "calib": 0.05, "test": 0.15, "gate": 0.05}
OFFICIAL, RANDOM = "official", "random"
LEAVE_OUT, CROSS = "leave-one-method-out", "cross-dataset"
_FITTED, _CHOOSING, _HELD_OUT = ("train", "val", "calib"), ("val", "calib"), ("test", "gate")
_FORMS = f"{RANDOM}, {OFFICIAL}, {LEAVE_OUT}:NAME[,CHOOSER], {CROSS}:A->B"


@dataclass(frozen=True)
class SplitPolicy:
    """What is asked for.

    Attributes:
        protocol: see the module; None: ``official`` where the manifest's splits are, and else
            ``random``.
        unit: see :func:`~deepfake_lightning.data.splits.draw.draw`.
        shares: of the splits that are drawn.
        seed: of the draw, not the training's.
    """

    protocol: str | None = None
    unit: Unit = "auto"
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    seed: int = 0


@dataclass(frozen=True)
class Splitting:
    """What came of it.

    Attributes:
        manifest: each row with a split; its ``policy`` says how they were made.
        protocol: the one used.
        seed: of the draw, None where nothing was drawn.
        datasets: how each data set was drawn.
        leaks: of official splits, see :func:`~deepfake_lightning.data.splits.checking.leaks`.
    """

    manifest: Manifest
    protocol: str
    seed: int | None
    datasets: tuple[DataSetDraw, ...]
    leaks: pd.DataFrame


def split_manifest(manifest: Manifest, policy: SplitPolicy) -> Splitting:
    """Return a manifest with splits as a policy asks for.

    Raises:
        UsageError: an unknown protocol, method or data set; wrong shares.
        SplitError: too few units; no official splits; splits of unknown making, which are
            neither kept nor drawn over unless the protocol says which.
    """
    shares = check_shares(policy.shares, "shares")
    if not len(manifest):
        raise SplitError(f"{manifest.origin} lists no media", next_step="add rows to it")
    protocol = policy.protocol or _usual(manifest)
    name, _, argument = protocol.partition(":")
    rows, args = manifest.rows, (shares, policy.seed, policy.unit)
    if protocol == OFFICIAL:
        return _official(manifest, *args)
    if protocol == RANDOM:
        found = draw(rows, *args)
    elif name == LEAVE_OUT and argument:
        methods = _methods(rows, argument)
        protocol = f"{LEAVE_OUT}:{','.join(methods)}"
        found = _leave_out(rows, methods, draw(rows, *args))
    elif name == CROSS and "->" in argument:
        found = _cross(rows, argument, *args)
    else:
        raise UsageError(f"unknown protocol {protocol!r}", next_step=f"use one of {_FORMS}")
    made = rows.assign(split=found.split.to_numpy(), group_id=found.groups.to_numpy())
    split = manifest.with_rows(made, policy_name(protocol, found.datasets))
    check_splits(split)
    return Splitting(split, protocol, policy.seed, found.datasets, leaks(made.iloc[:0]))


def policy_name(protocol: str, datasets: tuple[DataSetDraw, ...]) -> str:
    """Return what ``metadata.json`` calls a draw: ``group``, ``identity``, or with a protocol."""
    units = "+".join(sorted({found.unit for found in datasets}))
    return units if protocol == RANDOM else f"{protocol}, by {units}"


def _usual(manifest: Manifest) -> str:
    """Return the protocol where none is asked for."""
    if manifest.policy == OFFICIAL:
        return OFFICIAL
    if manifest.policy in ("given", "none") and manifest.rows["split"].notna().any():
        raise SplitError(
            f"{manifest.origin} has splits already, and does not say how they were made",
            next_step=f"keep them with --protocol {OFFICIAL}, or draw new ones with "
            f"--protocol {RANDOM}",
        )
    return RANDOM


def _official(manifest: Manifest, shares: dict[str, float], seed: int, unit: Unit) -> Splitting:
    rows = manifest.rows
    there = set(rows["split"].dropna())
    if not there & {*_FITTED, *_HELD_OUT}:
        raise SplitError(
            f"{manifest.origin} has no official splits",
            next_step=f"index the data with their split files, or use --protocol {RANDOM}",
        )
    split, groups = rows["split"].fillna("unused"), rows["group_id"].astype("string")
    datasets: tuple[DataSetDraw, ...] = ()
    for _, here in sorted(rows.groupby("dataset").indices.items()):
        own = set(rows["split"].iloc[here].dropna())
        wanted = tuple(name for name in (_FITTED if own else DRAWN_SPLITS) if name not in own)
        rest = here[rows["split"].iloc[here].isna().to_numpy(bool)]
        if "train" in own or not len(rest) or not shares_of(shares, wanted):
            continue
        found = draw(rows.iloc[rest], shares_of(shares, wanted), seed, unit)
        split.iloc[rest], groups.iloc[rest] = found.split.to_numpy(), found.groups.to_numpy()
        datasets += found.datasets
    made = rows.assign(split=split, group_id=groups)
    kept = manifest.with_rows(made, OFFICIAL)
    return Splitting(kept, OFFICIAL, seed if datasets else None, datasets, leaks(made))


def _leave_out(rows: pd.DataFrame, methods: list[str], found: Draw) -> Draw:
    """Return a draw in which fakes of each method stand in splits of their own, and no others."""
    fake = (rows["label"] != 0).fillna(True).to_numpy(bool)  # unknown may be fake
    named = rows["method"].isin(methods).fillna(False).to_numpy(bool)
    wrong = named | rows["method"].isna().to_numpy(bool)  # may be of the method, may be another
    for method, splits in zip(methods, (_HELD_OUT, _CHOOSING), strict=False):
        own = (rows["method"] == method).fillna(False).to_numpy(bool)
        wrong = np.where(found.split.isin(splits).to_numpy(bool), ~own, wrong)
    wrong &= fake & (found.split != "quarantine").to_numpy(bool)
    return Draw(found.split.mask(wrong, "unused"), found.groups, found.datasets)


def _methods(rows: pd.DataFrame, asked: str) -> list[str]:
    """Return the method to measure on and, where it is asked for, the one to choose on."""
    fakes = rows.loc[(rows["label"] != 0).fillna(True), "method"].dropna()
    known = sorted(map(str, fakes.unique()))
    names = [asked] if asked in known else asked.split(",", 1)  # a name may have a comma
    methods = [_one_of(name, known, "method") for name in names]
    if len(set(methods)) < len(methods):
        raise UsageError(
            f"{LEAVE_OUT}:{asked}: what is chosen on is measured on",
            next_step=f"name two methods of {', '.join(known)}",
        )
    return methods


def _one_of(asked: str, known: list[str], what: str) -> str:
    for name in known:
        if name.lower() == asked.strip().lower():
            return name
    raise UsageError(
        f"no {what} {asked.strip()!r}", next_step=f"use one of {', '.join(known) or '(none)'}"
    )


def _cross(
    rows: pd.DataFrame, argument: str, shares: dict[str, float], seed: int, unit: Unit
) -> Draw:
    known = sorted(map(str, rows["dataset"].unique()))
    sides = [[_one_of(n, known, "data set") for n in part.split(",")]
             for part in argument.split("->", 1)]  # fmt: skip
    if set(sides[0]) & set(sides[1]):
        raise UsageError(
            f"{CROSS}:{argument}: a data set stands on both sides",
            next_step=f"use --protocol {RANDOM}, or other data sets",
        )
    split = pd.Series("unused", rows.index, dtype="string")
    groups = rows["group_id"].astype("string")
    datasets: list[DataSetDraw] = []
    for names, splits in zip(sides, (_FITTED, _HELD_OUT), strict=True):
        part = shares_of(shares, splits)
        if not part:
            raise UsageError(
                f"{CROSS}: the shares of {', '.join(splits)} are all 0",
                next_step="give one of them a share",
            )
        here = rows["dataset"].isin(names).to_numpy(bool)
        found = draw(rows[here], part, seed, unit)
        split[here], groups[here] = found.split.to_numpy(), found.groups.to_numpy()
        datasets += found.datasets
    return Draw(split, groups, tuple(datasets))
