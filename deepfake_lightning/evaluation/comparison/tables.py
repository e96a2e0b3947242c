"""The tables and sentences of a comparison that its page, its Markdown and its command share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfake_lightning.evaluation.comparison.items import REASONS
from deepfake_lightning.evaluation.comparison.record import Comparison, Pair
from deepfake_lightning.evaluation.comparison.words import chance, difference
from deepfake_lightning.evaluation.words import NAMES, number, signed, with_interval
from deepfake_lightning.metrics import LOWER_IS_BETTER


def names_of(found: Comparison) -> list[str]:
    """Return the names of the detectors, in order."""
    return [one.name for one in found.detectors]


def metric_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the table of metrics: one row a metric, one column a detector."""
    rows = [
        [named(name), *(with_interval(one.metrics[name]) for one in found.detectors)]
        for name in found.metrics
    ]
    return ["metric", *names_of(found)], rows


def named(metric: str) -> str:
    """Return a metric's name, with what is not plain: that lower is better."""
    return NAMES[metric] + (" (lower is better)" if metric in LOWER_IS_BETTER else "")


def difference_rows(pair: Pair) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the table of a pair's differences."""
    rows = [
        [named(name), difference(one), chance(one.p_adjusted), one.verdict]
        for name, one in pair.differences.items()
    ]
    return ["metric", f"{pair.b} less {pair.a}", "p, corrected", "verdict"], rows


def matrix_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of all pairs: AUROC of the row's detector less the column's."""
    names = names_of(found)
    pairs = {(pair.a, pair.b): pair.headline for pair in found.pairs}
    turned = {"better": "worse", "worse": "better"}

    def cell(row: str, column: str) -> str:
        if (column, row) in pairs:
            one = pairs[column, row]
            return f"{signed(one.difference)}, {one.verdict}"
        if (row, column) in pairs:
            one = pairs[row, column]
            less = None if one.difference is None else -one.difference
            return f"{signed(less)}, {turned.get(one.verdict, one.verdict)}"
        return ""

    return ["", *names], [[row, *(cell(row, column) for column in names)] for row in names]


def left_out_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of what is not compared."""
    rows = [
        [
            one.name or "all",
            REASONS[one.reason],
            f"{one.count:,}",
            ", ".join(one.examples) + (", ..." if one.count > len(one.examples) else ""),
        ]
        for one in found.items.left_out
    ]
    return ["detector", "what became of them", "items", "the first"], rows


def detector_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of what each detector is, and of the data that it scored."""
    keys = ("kind", "backbone", "trained", "digest"), ("split", "split_policy", "looks")
    rows = [
        [one.name, *(_known(one.model, key) for key in keys[0]),
         *(_known(one.data, key) for key in keys[1])]
        for one in found.detectors
    ]  # fmt: skip
    return ["detector", "what", "backbone", "trained", "SHA-256", "split", "splits made by",
            "looks at it"], rows  # fmt: skip


def _known(about: Mapping[str, Any], key: str) -> str:
    value = about.get(key)
    if value is None:
        return "not known"
    text = str(value)
    return text[:10] if key == "trained" else text[:12] if key == "digest" else text


def disagreement_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the items on which detectors disagree most."""
    names = names_of(found)
    rows = [
        [
            one.item,
            "fake" if one.label else "real",
            ", ".join(one.right) or "none",
            *(number(one.scores[name]) for name in names),
        ]
        for one in found.disagreements
    ]
    return ["item", "label", "nearest" if ranks(found) else "right", *names], rows


def ranks(found: Comparison) -> bool:
    """Whether scores are places in rankings, since not all detectors give probabilities."""
    return any(one.scale == "rank" for one in found.detectors)


def matching(found: Comparison) -> str:
    """Return how the items were matched, in a sentence."""
    others = zip(names_of(found)[1:], found.items.matched_by, strict=True)
    how = "; ".join(f"{name} by {key}" for name, key in others)
    return f"Items were matched with those of {found.baseline.name}: {how}."
