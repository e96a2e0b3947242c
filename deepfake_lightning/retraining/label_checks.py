"""Whose labels contradict what everybody else says: before they train anything. Pure.

Who gives labels decides what the next detector learns, so wrong labels are an attack on it
(poisoning), or somebody's misunderstanding. Which of both, and whether the many are wrong and the
one is right about a new forgery, no statistic tells. So labels are *held* and not thrown away:
they train nothing until a reviewer has looked at some of them.

Each label is held against a classifier of the items' features that has learnt from trusted labels
and from those of other clients, but not from this client's (cross-fitting by client; Northcutt et
al. 2021, "Confident Learning", without the groups). A client's labels are held where it contradicts
clear predictions more often than all others do, by more than chance (a binomial test, Holm over
clients and tests) *and* by more than an honest client's errors. That is looked at over all clear
predictions, and over those of real and of fake by themselves: who calls everything fake is right
about half of the items, and contradicts all that are clearly real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, fisher_exact
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepfake_lightning.metrics.holm import holm
from deepfake_lightning.retraining.label_policy import LabelPolicy

Pattern = Literal["none", "unchecked", "contradicts", "one_sided", "flipped"]

_FOLDS = 10
_CUTS = 9  # moments that are tried for a change of mind: after each tenth of a client's labels
_BOTH = 2  # classes that a classifier needs
_SIDES = ((False, True), (False,), (True,))  # clear predictions of fake or not that are looked at


@dataclass(frozen=True)
class GivenLabels:
    """Labels with what is known of their items, one row each, N of them.

    Attributes:
        clients: str [N], who gave each.
        labels: int64 [N], 0 real, 1 fake.
        features: float [N, K], the items' projections
            (:mod:`deepfake_lightning.monitoring.log.projection`); finite.
        ts_us: int64 [N], when each was given, microseconds since 1970, UTC.
        trusted: bool [N], whether a reviewer gave it: these are learnt from, and not checked.
    """

    clients: NDArray[np.str_]
    labels: NDArray[np.int64]
    features: NDArray[np.float64]
    ts_us: NDArray[np.int64]
    trusted: NDArray[np.bool_]


@dataclass(frozen=True)
class ClientFinding:
    """What a client's labels look like beside everybody else's.

    Attributes:
        client: who.
        labels: how many it gave.
        clear: of these, on items of which the classifier is sure.
        contradicted: of these, how many say the opposite.
        rate, expected: their share, and what it would be for the others on such items; None
            without a clear one.
        p: chance that an honest client contradicts so often, Holm over clients; 1 where unchecked.
        pattern: ``contradicts``, ``one_sided`` (and all of its labels are the same), ``flipped``
            (from some moment on), ``unchecked`` (too few labels, or nothing to hold them
            against) or ``none``.
        since_us: with ``flipped``, the first label of the other kind.
    """

    client: str
    labels: int
    clear: int = 0
    contradicted: int = 0
    rate: float | None = None
    expected: float | None = None
    p: float = 1.0
    pattern: Pattern = "unchecked"
    since_us: int | None = None

    @property
    def held(self) -> bool:
        """Whether its labels may not train anything until they are reviewed."""
        return self.pattern in ("contradicts", "one_sided", "flipped")


def check_clients(given: GivenLabels, policy: LabelPolicy | None = None) -> list[ClientFinding]:
    """Return a finding for each client, those whose labels are held first, then by name.

    Args:
        given: all labels, trusted ones with them.
        policy: what is too much.
    """
    policy = policy or LabelPolicy()
    fake = predict_without(given)
    clear = ~np.isnan(fake) & (np.abs(fake - 0.5) >= policy.clear - 0.5) & ~given.trusted
    said_fake = fake > 0.5
    against = clear & (said_fake != (given.labels == 1))
    names = np.unique(given.clients[~given.trusted]).tolist()
    own = {name: (given.clients == name) & ~given.trusted for name in names}
    tested = [name for name in names if (own[name] & clear).sum() >= policy.least]
    rates = [_rates(own[name], clear, against, said_fake, policy) for name in tested]
    flips = [_flip(own[name] & clear, against, given.ts_us, policy) for name in tested]
    tests = [[*(one.p for one in of), flip[0]] for of, flip in zip(rates, flips, strict=True)]
    chances = holm(np.array(tests).ravel()).reshape(len(tested), len(_SIDES) + 1)
    found = {name: ClientFinding(name, int(own[name].sum())) for name in names}
    for name, of, flip, ps in zip(tested, rates, flips, chances.tolist(), strict=True):
        same = len(np.unique(given.labels[own[name]])) == 1
        found[name] = _judged(found[name], of, ps, flip[1], policy, one_sided=same)
    return sorted(found.values(), key=lambda one: (not one.held, one.client))


def predict_without(given: GivenLabels) -> NDArray[np.float64]:
    """Return each item's probability of fake by a classifier that has not seen its client's labels.

    Returns:
        float64 [N] in [0, 1]; NaN where there is nothing to learn from.
    """
    found = np.full(len(given.labels), np.nan)
    clients = np.unique(given.clients[~given.trusted])
    checked = np.flatnonzero(~given.trusted)
    if len(clients) < 2:  # one client: against what reviewers say, or nothing
        folds = [(np.zeros(0, np.intp), np.arange(len(checked)))]
    else:
        splitter = GroupKFold(min(_FOLDS, len(clients)))
        folds = list(splitter.split(checked, groups=given.clients[checked]))
    for others, mine in folds:
        learnt = np.concatenate([np.flatnonzero(given.trusted), checked[others]])
        if len(np.unique(given.labels[learnt])) < _BOTH or not len(mine):
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(given.features[learnt], given.labels[learnt])
        found[checked[mine]] = model.predict_proba(given.features[checked[mine]])[:, 1]
    return found


@dataclass(frozen=True)
class _Rate:
    """How often a client contradicts, and the chance of it, not corrected for many tests."""

    clear: int
    contradicted: int
    expected: float
    p: float

    @property
    def rate(self) -> float:
        return self.contradicted / self.clear if self.clear else 0.0


def _rates(
    own: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    against: NDArray[np.bool_],
    said_fake: NDArray[np.bool_],
    policy: LabelPolicy,
) -> list[_Rate]:
    """Return a client's rates over each of ``_SIDES``."""
    others = {}
    for fake in (False, True):  # real and fake items are not equally hard
        alike = clear & ~own & (said_fake == fake)
        others[fake] = float(against[alike].mean()) if alike.any() else 0.0
    found = []
    for side in _SIDES:
        mine = own & clear & np.isin(said_fake, side)
        number, contradicted = int(mine.sum()), int((mine & against).sum())
        fakes = float(said_fake[mine].mean()) if number else 0.0
        expected = fakes * others[True] + (1 - fakes) * others[False]
        allowed = min(0.5, expected + policy.honest_errors)
        enough = number >= policy.least / (1 if len(side) == _BOTH else 2)
        p = float(binom.sf(contradicted - 1, number, allowed)) if enough else 1.0
        found.append(_Rate(number, contradicted, expected, p))
    return found


def _flip(
    mine: NDArray[np.bool_],
    against: NDArray[np.bool_],
    ts_us: NDArray[np.int64],
    policy: LabelPolicy,
) -> tuple[float, int | None]:
    """Return the chance that a client began to contradict by chance only, and from when on."""
    rows = np.flatnonzero(mine)
    rows = rows[np.argsort(ts_us[rows], kind="stable")]
    if len(rows) < 2 * policy.least:
        return 1.0, None
    best: tuple[float, int | None] = (1.0, None)
    for cut in np.unique(np.linspace(0, len(rows), _CUTS + 2, dtype=int)[1:-1]):
        before, after = against[rows[:cut]], against[rows[cut:]]
        if min(len(before), len(after)) < policy.least / 2:
            continue
        if after.mean() - before.mean() < policy.effect:
            continue
        table = [[after.sum(), (~after).sum()], [before.sum(), (~before).sum()]]
        p = min(1.0, _CUTS * float(fisher_exact(table, alternative="greater").pvalue))
        best = min(best, (p, int(ts_us[rows[cut]])), key=lambda one: one[0])
    return best


def _judged(
    one: ClientFinding,
    rates: Sequence[_Rate],
    chances: Sequence[float],
    since_us: int | None,
    policy: LabelPolicy,
    *,
    one_sided: bool,
) -> ClientFinding:
    """Return what is found of a client, by the corrected chances of its rates and of its flip."""
    *ps, flip = chances
    of_all = rates[0]
    held = [p for p, of in zip(ps, rates, strict=True)
            if p < policy.alpha and of.rate - of.expected >= policy.effect]  # fmt: skip
    pattern: Pattern = "none"
    if flip < policy.alpha:
        pattern = "flipped"
    elif held:
        pattern = "one_sided" if one_sided else "contradicts"
    return replace(
        one, clear=of_all.clear, contradicted=of_all.contradicted, rate=of_all.rate,
        expected=of_all.expected, p=flip if pattern == "flipped" else min(held or ps),
        pattern=pattern, since_us=since_us if pattern == "flipped" else None,
    )  # fmt: skip
