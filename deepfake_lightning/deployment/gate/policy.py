"""What a version has to show before it is deployed: the file ``gate.yaml``, and what it holds."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.metrics import COMPARED
from deepfake_lightning.schemas.calibration import MediaType, Share

Number = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Margin = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Environments = tuple[str, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(_Part):
    """What the gate split has to be.

    Attributes:
        manifest: which data have it; null: the candidate's training's own, or else those of what
            serves now. --data names others.
        already_cropped: the pictures show one face each; null: as the training takes its own data.
        items: of each class, with a score, at least.
        groups: of people, at least: intervals over fewer than twenty are too narrow.
        unscored: share of items that may be without a score.
        detectors: how many different ones may have been scored on it, this one included: what is
            chosen by a split is not measured by it. null: any number.
    """

    manifest: str | None = None
    already_cropped: bool | None = None
    items: Count = 100
    groups: Count = 20
    unscored: Share = 0.05
    detectors: Count | None = 100


class Against(_Part):
    """What is held against the version that serves now, on the items that both scored.

    Attributes:
        margins: metric -> by how much it may be worse. The end of the paired 95 % interval that is
            worse must not reach beyond it (a test of non-inferiority at 2.5 %); all of them have
            to hold, so that no correction is due for there being several (intersection-union,
            Berger 1982).
        better: metrics in which the candidate has to be better, by the verdict of the paired test
            (Holm's correction over all metrics).
        draws: resamples of the groups.
    """

    margins: dict[str, Margin] = {"auroc": 0.02}
    better: tuple[str, ...] = ()
    draws: Annotated[int, Field(ge=100, le=100_000)] = 2000

    @field_validator("margins", "better")
    @classmethod
    def _compared(cls, names: dict[str, float] | tuple[str, ...]) -> object:
        for name in names:
            if name not in COMPARED:
                raise ValueError(f"{name!r} is not compared: use {', '.join(COMPARED)}")
        return names


class Floors(_Part):
    """What has to hold whatever serves now; also where nothing does. null: anything goes.

    They are held against the value that was measured; its interval is told beside it.

    Attributes:
        auroc: of all items, at least.
        recall: share of the fakes that are called manipulated at the deployed threshold, at least,
            in each kind of media that is served.
        false_alarms: share of the real items that are, at most.
        ece: expected calibration error of what users are shown, at most.
    """

    auroc: Share | None = 0.75
    recall: Share | None = 0.2
    false_alarms: Share | None = 0.1
    ece: Share | None = 0.1


class MethodFloors(_Part):
    """The floors of a manipulation method. null: anything goes.

    Attributes:
        auroc: of its fakes against the reals of the data sets that it occurs in, at least.
        recall: share of its fakes that are called manipulated, at least.
    """

    auroc: Share | None = 0.6
    recall: Share | None = 0.1


class Methods(_Part):
    """What every manipulation method of the gate split has to reach.

    Attributes:
        floors: of those that are not named.
        least: fakes of a method, fewer of which say too little to judge by.
        named: method -> floors of its own. One that is named has to be there, with enough fakes.
    """

    floors: MethodFloors = MethodFloors()
    least: Count = 20
    named: dict[str, MethodFloors] = {}


class DegradedLimits(_Part):
    """What has to hold under one degradation. null: anything goes.

    Attributes:
        auroc: of items, at least.
        auroc_lost: to the clean scores of the same items, at most.
        false_alarms: share of the reals that are called manipulated at the deployed threshold, at
            most.
        missed: share of the fakes that are not, at most.
        unscored: share of items without a face or a score, at most.
    """

    auroc: Share | None = None
    auroc_lost: Share | None = None
    false_alarms: Share | None = None
    missed: Share | None = None
    unscored: Share | None = None


class Robustness(_Part):
    """What has to hold under degradations, as ``evaluate VERSION --robustness true`` measured them.

    Held against the values that were measured last, on a split that counts: they have to be of the
    data of the version's training, or of those that the gate scores. The worst of several
    was chosen for it, and so looks worse than it is rather than better.

    Attributes:
        auroc_lost: to the clean scores of the same items in the worst degradation, at most; null:
            any.
        worst_of: names of the degradations that this looks at; none: all that were measured.
        named: degradation -> limits of its own. One that is named has to have been measured.
        items: of each class that were degraded, and that still have a score under each
            degradation that is judged, at least.
    """

    auroc_lost: Share | None = None
    worst_of: tuple[str, ...] = ()
    named: dict[str, DegradedLimits] = {}
    items: Count = 50

    @property
    def asks(self) -> bool:
        """Whether there is anything to hold."""
        return self.auroc_lost is not None or bool(self.named)

    @field_validator("worst_of", "named")
    @classmethod
    def _degradations(
        cls, names: tuple[str, ...] | dict[str, DegradedLimits]
    ) -> tuple[str, ...] | dict[str, DegradedLimits]:
        if not names:
            return names
        from deepfake_lightning.media.degradations import DEGRADATIONS  # slow

        for name in names:
            if name not in DEGRADATIONS:
                raise ValueError(f"{name!r} is no degradation: use {', '.join(DEGRADATIONS)}")
        return names


class Cost(_Part):
    """Budgets. null: anything goes.

    Attributes:
        cpu_ms: CPU time of the network with one picture, one thread, through ONNX, measured here;
            what users wait for is measured by the integration tests.
        slower: that over the same of what serves now, measured in turns with it.
        size_mb: of all files of the version, 10^6 bytes.
        seconds: for which each network is timed.
    """

    cpu_ms: Number | None = 200.0
    slower: Number | None = 1.5
    size_mb: Number | None = 500.0
    seconds: Number = 3.0


class TrainingData(_Part):
    """What the version may have been trained on.

    Attributes:
        findings: of the audit of the training's data, from which severity on they block.
        allowed: kinds of finding that do not.
        audited: whether there has to be an audit: a version that was brought here has none.
        forbidden: licences that block, in any case of letters; * stands for anything.
        environments: in which licences are asked for.
    """

    findings: Literal["error", "warning"] = "error"
    allowed: tuple[str, ...] = ()
    audited: bool = True
    forbidden: tuple[str, ...] = (
        "FaceForensics++ Terms of Use*",
        "Celeb-DF Terms of Use*",
        "CC?BY?NC*",
        "*non?commercial*",
        "*noncommercial*",
        "*research only*",
    )
    environments: Environments = ("production",)

    @field_validator("allowed")
    @classmethod
    def _kinds(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            return names
        from deepfake_lightning.data.audit import KINDS  # slow

        for name in names:
            if name not in KINDS:
                raise ValueError(f"{name!r} is no kind of finding: use {', '.join(KINDS)}")
        return names


class Integration(_Part):
    """The tests of a real server.

    Attributes:
        environments: before which they have to be passed.
        recorded_days: for how long those count that the same bundle has passed for another
            deployment of this workspace, with the same limits; 0: they are made each time.
        plan: the tests, and their limits.
    """

    environments: Environments = ("staging", "production")
    recorded_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30.0
    plan: IntegrationPlan = IntegrationPlan()

    @field_validator("plan", mode="before")
    @classmethod
    def _known(cls, plan: object) -> object:
        if isinstance(plan, dict):
            names = [one.name for one in fields(IntegrationPlan)]
            for name in plan:
                if name not in names:
                    raise ValueError(f"{name!r} is no limit of it: there are {', '.join(names)}")
        return plan


class GatePolicy(_Part):
    """What a version has to show before it is deployed.

    Attributes:
        media: kinds that are served: the version has to be calibrated for each, or users get a
            score and no verdict.
        data: what the gate split has to be.
        against: what is held against the version that serves now.
        floors: what has to hold in any case.
        methods: what every manipulation method has to reach.
        robustness: what has to hold under degradations.
        cost: budgets.
        training: what it may have been trained on.
        integration: the tests of a real server, which nobody gets past.
        staging_first: environments that take only what has been deployed in staging.
        no_demo: environments that take nothing trained on drawn faces.
    """

    media: tuple[MediaType, ...] = ("image",)
    data: Data = Data()
    against: Against = Against()
    floors: Floors = Floors()
    methods: Methods = Methods()
    robustness: Robustness = Robustness()
    cost: Cost = Cost()
    training: TrainingData = TrainingData()
    integration: Integration = Integration()
    staging_first: Environments = ("production",)
    no_demo: Environments = ("production",)

    @model_validator(mode="after")
    def _not_before_itself(self) -> Self:
        if "staging" in self.staging_first:
            raise ValueError("staging_first: staging itself cannot come after staging")
        return self
