"""What is known of a candidate and of what serves now, from which the gate judges.

Plain records: whoever collects them (``collecting``) opens files, runs networks and servers;
whoever judges them (``judge``) does nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepfake_lightning.errors import DeepfakeLightningError

if TYPE_CHECKING:
    from deepfake_lightning.data.audit import Finding
    from deepfake_lightning.deployment.acts import Event
    from deepfake_lightning.deployment.integration.report import IntegrationCheck
    from deepfake_lightning.evaluation.robustness.ledger import RobustnessRecord
    from deepfake_lightning.metrics import Interval, PairedDifference
    from deepfake_lightning.schemas.calibration import MediaType


@dataclass(frozen=True)
class Fault:
    """Why something could not be found out.

    Attributes:
        what: is wrong.
        why: that matters.
        next_step: what to do.
    """

    what: str
    why: str = ""
    next_step: str = ""

    @classmethod
    def of(cls, error: DeepfakeLightningError) -> Fault:
        """Return what an error says."""
        return cls(error.what, error.why, error.next_step)


def fault_of(error: DeepfakeLightningError) -> Fault:
    """Return what an error says of a candidate; one that is the machine's is raised again."""
    if error.exit_code != 2:
        raise error
    return Fault.of(error)


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        version: the candidate.
        environment: where it is to serve.
        event: how the change is to be called.
        at: when, UTC, RFC 3339.
        by: who asks.
        reason: why.
        force: deploy it although the gate says no.
        licences: that are let through by name.
        policy: where the policy comes from, in words.
        canary: whether it begins with a small share of the traffic.
        dry_run: decide, and change nothing.
    """

    version: str
    environment: str
    event: Event
    at: str
    by: str
    reason: str = ""
    force: bool = False
    licences: tuple[str, ...] = ()
    policy: str = "the defaults"
    canary: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Facts:
    """What a version is, without running it.

    Attributes:
        version: its name.
        digest: of its bundle, as it was registered; None where it is not registered any more.
        fault: what is wrong with its files; None where they are what was registered.
        is_demo: trained on drawn faces.
        size_mb: of its files, 10^6 bytes.
        calibrated: kinds of media for which it gives verdicts.
        licences: of its training data.
        findings: of the audit of the training's data; None where none is known.
        allowed: kinds of finding that the training was let off.
        trained: content hash of the data of its training; None where it is not known.
    """

    version: str
    digest: str | None = None
    fault: Fault | None = None
    is_demo: bool = False
    size_mb: float = 0.0
    calibrated: tuple[MediaType, ...] = ()
    licences: tuple[str, ...] = ()
    findings: tuple[Finding, ...] | None = None
    allowed: tuple[str, ...] = ()
    trained: str | None = None


@dataclass(frozen=True)
class Staging:
    """Whether staging has seen a version.

    Attributes:
        serves: it answers there now.
        passed: when it was last deployed there, this very bundle, with a server that passed the
            integration tests; None: never.
    """

    serves: bool = False
    passed: str | None = None


@dataclass(frozen=True)
class KindMeasured:
    """One kind of media of the gate split, decided as users are told.

    Attributes:
        kind: of media.
        real, fake: items with a score.
        recall: share of the fakes that are called manipulated.
        false_alarms: share of the reals that are.
        ece: expected calibration error; None where it is undefined.
    """

    kind: MediaType
    real: int
    fake: int
    recall: Interval
    false_alarms: Interval
    ece: float | None


@dataclass(frozen=True)
class MethodMeasured:
    """The fakes of one method of manipulation.

    Attributes:
        name: of the method.
        fake: items with a score.
        auroc: against the reals of the data sets that it occurs in.
        recall: share of them that are called manipulated.
    """

    name: str
    fake: int
    auroc: Interval
    recall: Interval


@dataclass(frozen=True)
class Measured:
    """What the candidate is on the gate split.

    Attributes:
        origin: of the data.
        content_hash: of all their rows.
        real, fake: items with a score and this label.
        unscored: items without a score.
        groups: of people.
        looks: how often the split was scored, this time included.
        detectors: how many different ones were, this one included.
        auroc: of items.
        kinds: of media.
        methods: of manipulation; empty where the data do not name any.
        findings: of the audit of these data; None where none was made.
        notes: what a reader has to know, in sentences.
    """

    origin: str
    content_hash: str
    real: int
    fake: int
    unscored: int
    groups: int
    looks: int
    detectors: int
    auroc: Interval
    kinds: tuple[KindMeasured, ...] = ()
    methods: tuple[MethodMeasured, ...] = ()
    findings: tuple[Finding, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """The candidate less what serves now, on the items that both scored.

    Attributes:
        differences: by metric.
        says: the verdict, as a sentence.
        notes: what a reader has to know, in sentences.
    """

    differences: Mapping[str, PairedDifference]
    says: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timed:
    """The network with one picture, one thread, on this machine: CPU time, milliseconds.

    Attributes:
        candidate, champion: median of rounds; None for the latter where nothing serves.
        ratio: of the two, median of rounds that follow each other, so that what else the machine
            does has little part in it; None without a champion.
        spread: how far the candidate's rounds are apart, over their median: what the machine alone
            can make of it.
    """

    candidate: float
    champion: float | None
    ratio: float | None
    spread: float


@dataclass(frozen=True)
class ServerTrial:
    """The integration tests of this very bundle.

    Attributes:
        checks: of them.
        not_run: names of those that were not come to.
        notes: what else should be known.
        seconds: how long they took.
        at: when, UTC, RFC 3339.
        recorded: the deployment that they were made for, a folder of decisions; None: this one.
    """

    checks: tuple[IntegrationCheck, ...]
    not_run: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float
    at: str
    recorded: str | None = None

    @property
    def passed(self) -> bool:
        """Whether all were made, and passed."""
        return bool(self.checks) and not self.not_run and all(one.passed for one in self.checks)


@dataclass(frozen=True)
class Evidence:
    """All that the gate judges by. None is what was not looked at.

    Attributes:
        asked: what is asked for.
        candidate: the version.
        champion: what serves now; None where nothing does.
        serves_already: the candidate has all the traffic.
        staging: whether staging has seen it.
        signer: the trusted key that has signed the candidate, or why none has; None: none is
            asked for.
        robustness: the candidate under degradations, as it was measured last; None: it never was,
            or the policy does not ask.
        measured: the candidate on the gate split, or why that cannot be.
        compared: with the champion, or why that cannot be.
        timed: how fast it is, or why that is not known.
        tested: the integration tests, or why there were none.
    """

    asked: Asked
    candidate: Facts
    champion: Facts | None = None
    serves_already: bool = False
    staging: Staging = Staging()
    signer: str | Fault | None = None
    robustness: RobustnessRecord | None = None
    measured: Measured | Fault | None = None
    compared: Compared | Fault | None = None
    timed: Timed | Fault | None = None
    tested: ServerTrial | Fault | None = None
