"""What requests really were, as far as their labels may be trusted.

What reviewers agree on counts. What callers say counts where no reviewer has looked, all of them
say the same, and they are not among those whose labels
:mod:`~deepfake_lightning.retraining.label_checks` holds, or could not check yet: by this detector,
and on an item whose features were kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from sqlalchemy import and_, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.projection import projection_values
from deepfake_lightning.monitoring.log.records import Label
from deepfake_lightning.monitoring.log.tables import item_scores, labels, requests
from deepfake_lightning.monitoring.review import settled
from deepfake_lightning.retraining.label_checks import ClientFinding, GivenLabels, check_clients
from deepfake_lightning.retraining.label_policy import LabelPolicy

NO_TOKEN = "(no token)"
"""All who give feedback without a token: what they call themselves tells nobody apart."""

HELD = "held: of clients that contradict all others"
UNCHECKED = "held: nothing to check them against yet; review some (feedback review)"


@dataclass(frozen=True)
class LabelledRequest:
    """A request whose label may train.

    Attributes:
        request_id, ts_us, media_type: of the request; microseconds since 1970, UTC.
        label, label_us: 0 real, 1 fake; when that was said last.
        version, verdict, score, calibrated: of the version that answered, and what it said.
        reviewed: whether reviewers say so.
        already_cropped: whether who sent it said that it shows one face that has been cut out;
            None where nothing was said.
    """

    request_id: str
    ts_us: int
    media_type: str
    label: Literal[0, 1]
    label_us: int
    version: str
    verdict: str | None
    score: float | None
    calibrated: bool
    reviewed: bool
    already_cropped: bool | None = None


@dataclass(frozen=True)
class Labelled:
    """What labels there are.

    Attributes:
        requests: those that may train, the oldest first.
        left_out: why others may not -> how many requests.
        doubted: the ids of these others, but for those that nobody could check yet.
        clients: what the labels of each client look like, those that are held first.
    """

    requests: tuple[LabelledRequest, ...]
    left_out: Mapping[str, int]
    clients: tuple[ClientFinding, ...]
    doubted: frozenset[str] = frozenset()

    @property
    def held(self) -> tuple[ClientFinding, ...]:
        """Clients whose labels train nothing until reviewers have looked at some of them."""
        return tuple(one for one in self.clients if one.held)


def read_labelled(log: LogDatabase, environment: str, policy: LabelPolicy) -> Labelled:
    """Return the requests of an environment whose labels may train.

    Args:
        log: the prediction log.
        environment: of the requests.
        policy: which labels are held.

    Raises:
        StorageError: the log could not be read.
    """
    rows = _rows(log, environment)
    said: dict[str, list[Label]] = defaultdict(list)
    about: dict[str, Any] = {}
    for row in rows:
        values = row._mapping
        said[row.request_id].append(Label(**{c.name: values[c.name] for c in labels.c}))
        about[row.request_id] = row
    findings = _findings(about, said, policy)
    clients = _worst(findings)
    held = {one.client for one in clients if one.held}
    found, left_out, doubted = [], Counter[str](), set[str]()
    for name, row in about.items():
        checked = None if policy.unchecked == "train" else _checked(row, findings)
        label, reason = judged(said[name], held, checked)
        if label is None:
            left_out[reason] += 1
            if reason != UNCHECKED:
                doubted.add(name)
            continue
        found.append(
            LabelledRequest(
                name, row.came_us, row.media_type or "image", label,
                max(one.ts_us for one in said[name]), row.version, row.verdict, row.score,
                bool(row.calibrated), reason == "reviewed", row.already_cropped,
            )
        )  # fmt: skip
    return Labelled(tuple(sorted(found, key=lambda one: (one.ts_us, one.request_id))),
                    dict(left_out), clients, frozenset(doubted))  # fmt: skip


def judged(
    said: Sequence[Label], held: Collection[str] = (), checked: Collection[str] | None = None
) -> tuple[Literal[0, 1] | None, str]:
    """Return what a request was by its labels, and why: ``reviewed``, ``told``, or why not.

    Args:
        said: all labels of it.
        held: clients whose labels do not count.
        checked: clients whose labels could be checked; those of others do not count. None: all.
    """
    if any(one.source == "review" for one in said):
        agreed = settled(said)
        if agreed is None:
            return None, "reviewers disagree"
        return (None, "reviewers cannot tell") if agreed == -1 else (agreed, "reviewed")
    latest = {client_of(one): one.label for one in sorted(said, key=lambda one: one.ts_us)}
    told = {client: label for client, label in latest.items() if label != -1}
    free = told.keys() - set(held)
    counted = {told[client] for client in free if checked is None or client in checked}
    if len(counted) > 1:
        return None, "clients contradict each other"
    if counted:
        return (1 if counted == {1} else 0), "told"
    if free:
        return None, UNCHECKED
    return None, HELD if told else "no label"


def client_of(label: Label) -> str:
    """Return whose word a label is: of a token, or of who imported it."""
    if label.source == "import":
        return f"import by {label.by}"
    return label.client or NO_TOKEN


def _rows(log: LogDatabase, environment: str) -> list[Any]:
    answered = and_(
        item_scores.c.request_id == requests.c.id,
        item_scores.c.item == 0,
        item_scores.c.variant == "serving",
    )
    scored = ("score", "calibrated", "verdict", "bundle", "projection", "version")
    query = (
        select(labels, requests.c.ts_us.label("came_us"), requests.c.media_type,
               requests.c.already_cropped,
               *(item_scores.c[name] for name in scored))
        .join_from(labels, requests, labels.c.request_id == requests.c.id)
        .join(item_scores, answered)
        .where(requests.c.environment == environment)
        .order_by(labels.c.ts_us, labels.c.id)
    )  # fmt: skip
    with log.reading() as connection:
        return list(connection.execute(query).all())


def _findings(
    about: Mapping[str, Any], said: Mapping[str, Sequence[Label]], policy: LabelPolicy
) -> dict[str, list[ClientFinding]]:
    """Return what is found of clients by bundle: features of two detectors cannot be compared."""
    by_bundle: dict[str, list[str]] = defaultdict(list)
    for name, row in about.items():
        if row.projection is not None:
            by_bundle[row.bundle].append(name)
    found: dict[str, list[ClientFinding]] = {}
    for bundle, names in by_bundle.items():
        given = _given(names, about, said)
        found[bundle] = [] if given is None else check_clients(given, policy)
    return found


def _checked(row: Any, findings: Mapping[str, Sequence[ClientFinding]]) -> set[str]:
    """Return whose labels of a request could be checked: nobody's without its features."""
    if row.projection is None:
        return set()
    return {one.client for one in findings[row.bundle] if one.pattern != "unchecked"}


def _worst(findings: Mapping[str, Sequence[ClientFinding]]) -> tuple[ClientFinding, ...]:
    """Return the worst finding of each client, those that are held first.

    One of a detector by which it could be checked goes before one by which it could not.
    """
    found: dict[str, ClientFinding] = {}
    for one in chain.from_iterable(findings.values()):
        before = found.get(one.client)
        if before is None or _weight(before) < _weight(one):
            found[one.client] = one
    return tuple(sorted(found.values(), key=lambda one: (not one.held, one.client)))


def _weight(one: ClientFinding) -> tuple[bool, bool, int]:
    return one.held, one.pattern != "unchecked", one.labels


def _given(
    names: Sequence[str], about: Mapping[str, Any], said: Mapping[str, Sequence[Label]]
) -> GivenLabels | None:
    given: list[tuple[str, int, int, bool, str]] = []  # client, label, time, trusted, request
    for name in names:
        label, reason = judged(said[name])
        if reason == "reviewed" and label is not None:
            given.append(("", label, max(one.ts_us for one in said[name]), True, name))
        latest = {client_of(one): one for one in said[name] if one.source != "review"}
        given += [(client, int(one.label), one.ts_us, False, name)
                  for client, one in latest.items() if one.label != -1]  # fmt: skip
    if not given:
        return None
    clients, answers, times, trusted, of = zip(*given, strict=True)
    features = [projection_values(about[name].projection) for name in of]
    return GivenLabels(np.array(clients), np.array(answers, np.int64),
                       np.array(features, np.float64), np.array(times, np.int64),
                       np.array(trusted, bool))  # fmt: skip
