"""What an audit found, as records that reports, pages and runs keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from deepfake_lightning.errors import UsageError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

# In the order in which they are shown within a severity.
KINDS: dict[str, str] = {
    "identity_across_splits": "a person or group stands in two splits",
    "item_across_splits": "frames of one clip stand in two splits",
    "val_is_test": "validation and test hold the same media",
    "same_content": "the same file stands in two splits",
    "near_copy": "a re-encoded or resized copy stands in another split",
    "official_test_in_train": "a published test item is trained on",
    "label_conflict": "the same file is labelled real and fake",
    "shortcut": "statistics of the files tell fakes from reals",
    "imbalance": "one class is much larger than the other",
    "unreadable": "files could not be measured",
    "one_class": "labels of one class only",
    "unlabelled": "no labels",
    "not_split": "no splits",
    "too_small": "too few items to look for shortcuts",
    "official_policy": "splits as published, shared identities included",
}
"""Kind of finding -> what it means. ``allowed`` names these."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        kind: one of :data:`KINDS`.
        severity: ``error`` (a leak: figures would be flattered), ``warning`` (training can go on,
            and its figures have to be read with it) or ``note`` (what could not be looked at).
        what: one sentence with the names and numbers.
        evidence: counts, examples and figures, plain JSON types.
        next_step: what to do about it.
    """

    kind: str
    severity: Severity
    what: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    next_step: str = ""


@dataclass(frozen=True)
class FeatureResult:
    """How well one statistic of the files, or all together, tells fakes from reals.

    Attributes:
        name: of the statistic; ``all together`` for the joint probe.
        about: ``file`` (container, header, size: no trace of a manipulation), ``picture``
            (pixels: a manipulation can change them too), ``source`` (where it comes from).
        auc: area under the ROC curve of cross-validated scores; 0.5 is chance.
        low, high: 95 % interval, bootstrap over identity groups.
        p: one-sided, of an AUC no larger than 0.5 plus the margin; adjusted by Holm's method.
        gives_away: whether it counts as a shortcut.
        real, fake: what it typically is in each class, to be read.
    """

    name: str
    about: str
    auc: float
    low: float
    high: float
    p: float
    gives_away: bool
    real: str = ""
    fake: str = ""


@dataclass(frozen=True)
class AuditReport:
    """All that an audit found.

    Attributes:
        origin: the manifest's file or folder.
        content_hash: of the manifest.
        policy: how its splits were made.
        counts: rows per split and label.
        files: how many there are.
        measured: how many of them were opened and measured.
        findings: errors first.
        probe: the joint probe and every single statistic that varies, the joint one first; empty
            where shortcuts could not be looked for.
        constant: names of statistics that are the same in all files.
    """

    origin: str
    content_hash: str
    policy: str
    counts: dict[str, dict[str, int]]
    files: int
    measured: int
    findings: tuple[Finding, ...]
    probe: tuple[FeatureResult, ...] = ()
    constant: tuple[str, ...] = ()

    def of(self, severity: Severity) -> list[Finding]:
        """Return the findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def refused(self, allowed: Collection[str] = ()) -> list[Finding]:
        """Return the errors whose kind is not allowed.

        Raises:
            UsageError: ``allowed`` holds a name that is no kind of finding.
        """
        check_kinds(allowed)
        return [finding for finding in self.of("error") if finding.kind not in allowed]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {"schema": 1, **asdict(self)}


def check_kinds(allowed: Collection[str]) -> None:
    """Refuse names that are no kind of finding.

    Raises:
        UsageError: names them and the kinds there are.
    """
    unknown = sorted(set(allowed) - KINDS.keys())
    if unknown:
        raise UsageError(
            f"unknown kind of finding: {', '.join(unknown)}",
            next_step=f"allow some of {', '.join(KINDS)}",
        )


def in_order(findings: Collection[Finding]) -> tuple[Finding, ...]:
    """Return findings, errors first, then in the order of :data:`KINDS`."""
    kinds = list(KINDS)
    return tuple(
        sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), kinds.index(f.kind)))
    )
