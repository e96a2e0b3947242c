"""Results by the values of a column: methods, data sets, compressions, people's attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.levels import Levels, extra_columns
from deepfake_lightning.evaluation.report.decisions import Decided
from deepfake_lightning.evaluation.report.record import Breakdown, Gap, Subgroup
from deepfake_lightning.metrics import Interval, share_gap, share_interval, summary_intervals

ALWAYS = ("method", "dataset", "compression", "media_type", "tracks")
MOST_VALUES = 40
"""A column with more values is no group column, unless it is asked for."""

NONE = "(unknown)"
_UNDEFINED = Interval(None, None, None)


@dataclass(frozen=True)
class _Table:
    """Scored, labelled items, [N] each, and all items' values of a column."""

    logit: NDArray[np.float64]
    fake: NDArray[np.bool_]
    group: NDArray[np.int64]
    called: NDArray[np.bool_]
    item: NDArray[np.int64]
    decides: bool
    draws: int
    seed: int


def breakdowns(
    levels: Levels, decided: Decided, by: Sequence[str], least: int, draws: int, seed: int
) -> tuple[tuple[Breakdown, ...], list[str]]:
    """Return results by every column that has at least two values, and by those asked for.

    Columns with more than :data:`MOST_VALUES` are left out unless asked for, which is said in the
    sentences that are returned, too.

    Raises:
        UsageError: there is no column that is asked for.
    """
    items, level = levels.items, levels.item
    table = _Table(
        level.logit, level.label == 1, level.group, decided.called[level.item], level.item,
        decided.decides, draws, seed,
    )  # fmt: skip
    found, notes = [], []
    for name in dict.fromkeys([*ALWAYS, *extra_columns(items), *by]):
        if name not in items:
            raise _no_column(name, extra_columns(items))
        values = _values(items, name)
        count = values[values != ""].nunique()
        named = name == "method" and bool(items["method"].notna().any())
        if count > MOST_VALUES and name not in by:
            notes.append(f"{name} has {count:,} values: --by {name} breaks results down by it")
        elif name in by or (count >= 2 and name != "method") or named:
            of = _by_method if name == "method" else _by_value
            found.append(of(name, values, items, table, least))
    return tuple(found), notes


def check_columns(by: Sequence[str], added: Sequence[str]) -> None:
    """Refuse columns that no predictions will have.

    Args:
        by: what is asked for.
        added: columns of the user's own.

    Raises:
        UsageError: there will be no such column.
    """
    for name in by:
        if name not in (*ALWAYS, *added):
            raise _no_column(name, added)


def _no_column(name: str, added: Sequence[str]) -> UsageError:
    return UsageError(
        f"there is no column {name!r} to break results down by",
        next_step=f"name one of {', '.join([*ALWAYS, *added])}, or add columns with --attributes",
    )


def _values(items: pd.DataFrame, name: str) -> pd.Series:
    """Return the values of a column as text, empty where a value has no meaning."""
    if name == "tracks":
        counts = items["tracks"].astype(int)
        return counts.astype(str).where(counts < 3, "3 or more").where(counts > 0, "")
    values = items[name].astype("string")
    if name == "method":
        fake = (items["label"] == 1).fillna(False)
        return values.fillna("(unnamed)").where(fake, "")
    return values.fillna(NONE if values.notna().any() else "")


def _by_value(
    name: str, values: pd.Series, items: pd.DataFrame, table: _Table, least: int
) -> Breakdown:
    of = values.to_numpy(str)
    lost = (items["status"] != "ok").to_numpy(bool)
    groups = []
    for value in _largest_first(values):
        chosen = of[table.item] == value
        unscored = int((lost & (of == value)).sum())
        groups.append(_subgroup(value, table, chosen, chosen, unscored))
    gaps = [_gap(rate, groups, least) for rate in ("false_alarms", "missed")]
    return Breakdown(name, tuple(groups), tuple(gap for gap in gaps if gap is not None), least)


def _by_method(
    name: str, values: pd.Series, items: pd.DataFrame, table: _Table, least: int
) -> Breakdown:
    """Return results of each method's fakes against the reals of the data sets it occurs in."""
    of, dataset = values.to_numpy(str), items["dataset"].fillna("").to_numpy(str)
    lost = (items["status"] != "ok").to_numpy(bool)
    groups = []
    for value in _largest_first(values):
        theirs = np.isin(dataset, dataset[of == value])[table.item]
        fakes = (of[table.item] == value) & table.fake
        unscored = int((lost & (of == value)).sum())
        groups.append(_subgroup(value, table, ~table.fake & theirs, fakes, unscored))
    gap = _gap("missed", groups, least)
    return Breakdown(name, tuple(groups), (gap,) if gap else (), least, shared_reals=True)


def _largest_first(values: pd.Series) -> list[str]:
    counts = values[values != ""].value_counts()
    return sorted((str(value) for value in counts.index), key=lambda v: (-int(counts[v]), v))


def _subgroup(
    value: str, table: _Table, of_reals: NDArray[np.bool_], of_fakes: NDArray[np.bool_],
    unscored: int,
) -> Subgroup:  # fmt: skip
    reals, fakes = of_reals & ~table.fake, of_fakes & table.fake
    both = reals | fakes
    auroc = summary_intervals(
        table.logit[both], table.fake[both].astype(np.int64), table.group[both],
        draws=table.draws, seed=table.seed, names=["auroc"],
    )["auroc"]  # fmt: skip
    return Subgroup(
        value=value,
        real=int(reals.sum()),
        fake=int(fakes.sum()),
        unscored=unscored,
        auroc=auroc,
        false_alarms=_share(table, table.called, reals),
        missed=_share(table, ~table.called, fakes),
    )


def _share(table: _Table, hit: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Interval:
    if not table.decides:
        return _UNDEFINED
    return share_interval(hit[chosen], table.group[chosen], draws=table.draws, seed=table.seed)


def _gap(rate: str, groups: Sequence[Subgroup], least: int) -> Gap | None:
    """Return the widest difference of a rate between groups that are large enough."""
    large = [g for g in groups if (g.fake if rate == "missed" else g.real) >= least]
    rates = {g.value: getattr(g, rate) for g in large if getattr(g, rate).value is not None}
    if len(rates) < 2:
        return None
    highest = max(rates, key=lambda value: rates[value].value)
    lowest = min(rates, key=lambda value: rates[value].value)
    return Gap(rate, highest, lowest, share_gap(rates[highest], rates[lowest]))
