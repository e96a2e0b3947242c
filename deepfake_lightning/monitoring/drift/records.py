"""What was found of drift in a window, and how it is kept: plain JSON, in ``drift_checks``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy import select, text

from deepfake_lightning.monitoring.drift.policy import ReferenceKind
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.tables import drift_checks

_SCHEMA = 1


class Span(Protocol):
    """A time: from when, and up to when, without it; microseconds since 1970, UTC."""

    @property
    def start_us(self) -> int: ...  # noqa: D102
    @property
    def end_us(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class FeatureDrift:
    """One feature of a window's items beside those of the reference.

    Attributes:
        feature: ``score``, ``brightness``, ..., ``embedding`` (``policy.FEATURES``).
        p: that a difference this large is chance; None where it could not be compared.
        p_holm: the same, over all features of the window together.
        effect: 0 for equal to 1 for apart (``policy.DriftLimits``).
        limit: of the effect.
        moved: significant, and over the limit.
        before, after: a quantile of the reference and of the window, in the feature's unit: the one
            of ``quantile`` that differs most; None for the embedding.
        quantile: 0.1, 0.5 or 0.9.
        reference, current: shares of the items by ``edges``, [B] each; what is beyond the edges is
            counted at the ends. Of the embedding these are log-odds, of a classifier that has not
            seen the item, that it is of the window.
        edges: [B + 1], ascending.
        direction: of the embedding, [K]: where along the reference's components the window's items
            lie, as seen from the reference's.
    """

    feature: str
    p: float | None
    p_holm: float | None
    effect: float
    limit: float
    moved: bool
    before: float | None = None
    after: float | None = None
    quantile: float | None = None
    reference: tuple[float, ...] | None = None
    current: tuple[float, ...] | None = None
    edges: tuple[float, ...] | None = None
    direction: tuple[float, ...] | None = None

    @property
    def part(self) -> float:
        """The feature's part of the drift score, 0 to 1.

        r^2 / (1 + r^2), with r = effect / limit: 0.5 at the limit, 0.2 at half of it, 0.8 at twice.
        What is over the limit and not significant is 0.5.
        """
        ratio = self.effect / self.limit
        ratio = ratio if self.moved else min(ratio, 1.0)
        return ratio**2 / (1 + ratio**2)


@dataclass(frozen=True)
class DriftRecord:
    """What was found in a window of the requests that a version answered.

    Attributes:
        environment, version: whose requests.
        start_us, end_us: of the window, microseconds since 1970, UTC; whole minutes.
        items: scored items in it.
        score: the largest ``part`` of the features, 0 to 1: over 0.5 exactly where one has moved.
            None where the window was not judged.
        moved: whether a feature has.
        confirmed: whether a feature has that had moved in the window before, too, beside the same
            reference; or has at all, where the policy asks for one window.
        features: those that were looked at, in the order of ``policy.FEATURES``.
        severity: AUC, 0.5 to 1, with which a classifier tells the window's embeddings from the
            reference's; None without embeddings.
        reasons: sentences: what moved, from where to where; or why nothing was judged.
        sampled: items that were compared.
        reference: what the window was compared with.
        reference_items: how many items that has.
        reference_id: SHA-256 of its file: equal where two records had the same reference.
        notes: what else should be known of the comparison.
    """

    environment: str
    version: str
    start_us: int
    end_us: int
    items: int
    score: float | None
    moved: bool
    confirmed: bool
    features: tuple[FeatureDrift, ...]
    severity: float | None
    reasons: tuple[str, ...]
    sampled: int = 0
    reference: ReferenceKind = "bundle"
    reference_items: int = 0
    reference_id: str = ""
    notes: tuple[str, ...] = ()

    @property
    def moved_features(self) -> tuple[str, ...]:
        """Names of those that have moved, the largest first."""
        moved = sorted((one for one in self.features if one.moved), key=lambda one: -one.part)
        return tuple(one.feature for one in moved)

    def of(self, feature: str) -> FeatureDrift | None:
        """Return one of the features by its name, None where it was not looked at."""
        return next((one for one in self.features if one.feature == feature), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types; ``part`` of each feature is with it."""
        record = asdict(self)
        for feature, one in zip(record["features"], self.features, strict=True):
            feature["part"] = one.part
        return {"schema": _SCHEMA, **record}


def record_of(content: dict[str, Any]) -> DriftRecord:
    """Return the record that :meth:`DriftRecord.to_dict` gave, also after a way through JSON."""
    fields = {name: value for name, value in content.items() if name != "schema"}
    features = tuple(
        FeatureDrift(**{name: _frozen(v) for name, v in one.items() if name != "part"})
        for one in fields.pop("features")
    )
    return DriftRecord(features=features, **{name: _frozen(v) for name, v in fields.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def keep_record(log: LogDatabase, record: DriftRecord) -> bool:
    """Keep a record; return whether there was none of its window yet: the first one stays.

    Raises:
        StorageError: it could not be written.
    """
    statement = text(
        "INSERT INTO drift_checks (environment, version, start_us, end_us, score, record) VALUES"
        " (:environment, :version, :start_us, :end_us, :score, :record) ON CONFLICT DO NOTHING"
    )
    names = ("environment", "version", "start_us", "end_us", "score")
    row = {name: getattr(record, name) for name in names}
    row["record"] = json.dumps(record.to_dict(), allow_nan=False, separators=(",", ":"))
    with log.writing() as connection:
        return connection.execute(statement, row).rowcount == 1


def read_drift(
    log: LogDatabase,
    period: Span | None = None,
    *,
    environment: str | None = None,
    version: str | None = None,
    last: int | None = None,
) -> list[DriftRecord]:
    """Return what was found, the oldest window first.

    Args:
        log: of which.
        period: only windows that share some time with it.
        environment: only of this one.
        version: only of this one.
        last: only so many, the latest ones.

    Raises:
        StorageError: the log could not be read.
    """
    wanted = []
    if period is not None:
        wanted += [drift_checks.c.end_us > period.start_us, drift_checks.c.start_us < period.end_us]
    if environment is not None:
        wanted.append(drift_checks.c.environment == environment)
    if version is not None:
        wanted.append(drift_checks.c.version == version)
    keys = (drift_checks.c.start_us, drift_checks.c.environment, drift_checks.c.version)
    query = select(drift_checks.c.record).where(*wanted).order_by(*(key.desc() for key in keys))
    with log.reading() as connection:
        found = connection.scalars(query.limit(last)).all()
    return [record_of(json.loads(record)) for record in reversed(found)]
