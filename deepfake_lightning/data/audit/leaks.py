"""Leaks and imbalance that the manifest's names and labels show, without opening a file."""

from __future__ import annotations

import pandas as pd

from deepfake_lightning.data.audit.findings import Finding
from deepfake_lightning.data.splits import HELD_APART, leaks
from deepfake_lightning.schemas import LABELS, Manifest

SHOWN = 5  # examples in a finding
_NOTED_RATIO, _WARNED_RATIO = 3.0, 10.0


def look_at_names(manifest: Manifest) -> list[Finding]:
    """Return what the manifest's rows show: identities and items across splits, labels, balance."""
    rows = manifest.rows
    compared = rows[rows["split"].isin(HELD_APART)]
    found = [
        *_identities(compared, manifest.policy),
        *_items(compared),
        *_labels(manifest),
    ]
    if compared.empty:
        found.append(
            Finding(
                "not_split",
                "note",
                "no row stands in train or a scored split",
                next_step="draw splits with `deepfake-lightning data split`, then audit again",
            )
        )
    if manifest.policy == "official":
        found.append(
            Finding(
                "official_policy",
                "note",
                "the splits are those published with the data",
                next_step="name the policy with every figure",
            )
        )
    return found


def across_splits(names: pd.Series, splits: pd.Series) -> pd.Series:
    """Return each name that stands in two splits or more -> the sorted list of them.

    Args:
        names: one for each row; missing ones count for nothing.
        splits: likewise.
    """
    stands = pd.DataFrame({"name": names, "split": splits}).dropna().drop_duplicates()
    several = stands[stands.duplicated("name", keep=False)]
    return several.groupby("name")["split"].agg(sorted)


def split_pairs(leaking: pd.Series) -> dict[str, int]:
    """Return ``train and test`` -> how many names stand in exactly these."""
    return {str(k): int(v) for k, v in leaking.map(" and ".join).value_counts().items()}


def in_words(pairs: dict[str, int]) -> str:
    """Return the counts of :func:`split_pairs` in words."""
    return ", ".join(f"{count:,} in {names}" for names, count in pairs.items())


def _identities(rows: pd.DataFrame, policy: str) -> list[Finding]:
    leaking = leaks(rows).groupby("name")["split"].agg(sorted)
    if leaking.empty:
        return []
    pairs = split_pairs(leaking)
    examples = {str(name)[2:]: list(found) for name, found in leaking.head(SHOWN).items()}
    first = next(iter(examples))
    official = policy == "official"
    return [
        Finding(
            "identity_across_splits",
            "warning" if official else "error",
            f"{len(leaking):,} identities or groups stand in two splits ({in_words(pairs)}), "
            f"{first!r} for one",
            {"identities": len(leaking), "splits": pairs, "examples": examples},
            "a detector recognises people it was trained on: say with every figure that the "
            "published splits share them"
            if official
            else "draw splits by identity with `deepfake-lightning data split`",
        )
    ]


def _items(rows: pd.DataFrame) -> list[Finding]:
    leaking = across_splits(rows["video_id"], rows["split"])
    if leaking.empty:
        return []
    pairs = split_pairs(leaking)
    return [
        Finding(
            "item_across_splits",
            "error",
            f"frames of {len(leaking):,} clips stand in two splits ({in_words(pairs)}), "
            f"{leaking.index[0]!r} for one",
            {
                "items": len(leaking),
                "splits": pairs,
                "examples": [str(name) for name in leaking.index[:SHOWN]],
            },
            "keep all frames of a clip in one split",
        )
    ]


def _labels(manifest: Manifest) -> list[Finding]:
    """Return what is to be said of the labels: none, of one class, or far from balance."""
    items = manifest.rows.drop_duplicates("video_id")
    labels = items["label"].dropna()
    counts = {name: int((labels == value).sum()) for name, value in LABELS.items()}
    if not len(labels):
        what = "no item has a label, so nothing is known of shortcuts and balance"
        return [Finding("unlabelled", "note", what, counts, "label some")]
    if 0 in counts.values():
        only = max(counts, key=lambda name: counts[name])
        what = f"all {len(labels):,} labelled items are {only}: shortcuts cannot be looked for"
        return [Finding("one_class", "note", what, counts, "add items of the other class")]
    large, small = sorted(counts, key=lambda name: -counts[name])
    ratio = counts[large] / counts[small]
    if ratio < _NOTED_RATIO:
        return []
    return [
        Finding(
            "imbalance",
            "warning" if ratio >= _WARNED_RATIO else "note",
            f"{counts[large]:,} {large} items to {counts[small]:,} {small}: {ratio:.1f} to 1",
            {**counts, "ratio": round(ratio, 3)},
            f"weight the classes or draw them evenly; accuracy says little here, since calling all "
            f"of them {large} is right in {counts[large] / len(labels):.0%}",
        )
    ]
