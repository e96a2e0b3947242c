"""The gate split, scored with the candidate and with what serves now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from deepfake_lightning.data.audit import looks
from deepfake_lightning.deployment.gate.evidence import (
    Compared,
    Fault,
    KindMeasured,
    Measured,
    MethodMeasured,
    fault_of,
)
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.evaluation.comparison.compare import compare
from deepfake_lightning.evaluation.comparison.page import comparison_page
from deepfake_lightning.evaluation.report import Evaluation, evaluate
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.detectors import Detector, detector_of_bundle
from deepfake_lightning.evaluation.subjects.scored_split import scored_data, split_of
from deepfake_lightning.evaluation.subjects.scoring import Scoring, score_split
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.metrics import Interval
from deepfake_lightning.registry import Registry
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.storage import Workspace

SPLIT, COMMAND = "gate", "deploy"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Findings:
    """What the gate split says.

    Attributes:
        measured: the candidate, or why that cannot be.
        compared: with what serves now, or why that cannot be; None where nothing does.
        page: of the comparison, HTML; None without one.
    """

    measured: Measured | Fault
    compared: Compared | Fault | None = None
    page: str | None = None


def measure(
    registry: Registry,
    versions: tuple[str, str | None],
    policy: GatePolicy,
    *,
    data: str | None,
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Findings:
    """Score the gate split with the candidate, and with what serves now; each is a look.

    Args:
        registry: where they are.
        versions: the candidate, and what serves now, if it is whole.
        policy: the rules.
        data: that have the split; None: those of a training.
        workers: processes that score; None: as many as there are cores.
        progress: told what is done, how much of it is, and how much there is (0: unknown).

    Raises:
        StorageError: the machine refused.
    """
    try:
        candidate = _detector(registry, versions[0])
        champion = None if versions[1] is None else _detector(registry, versions[1])
        both = [one for one in (candidate, champion) if one is not None]
        place, manifest = _gate_data(both, data or policy.data.manifest)
        how = _Counted(place, workers, _cropped(both, manifest, policy), progress)
        subject = how.score(candidate, registry.workspace)
        found = evaluate(subject, least=policy.methods.least, draws=policy.against.draws)
        measured = _measured(found)
    except DeepfakeLightningError as error:
        return Findings(fault_of(error))
    if champion is None:
        return Findings(_seen(measured, registry.workspace, manifest))
    try:
        other = how.score(champion, registry.workspace)
        measured = _seen(measured, registry.workspace, manifest)
        progress("comparing", 0, 0)
        result = compare([other, subject], draws=policy.against.draws)
    except DeepfakeLightningError as error:
        return Findings(_seen(measured, registry.workspace, manifest), fault_of(error))
    pair = result.pairs[0]
    told = Compared(dict(pair.differences), result.says(pair), result.notes)
    return Findings(measured, told, comparison_page(result))


def _detector(registry: Registry, version: str) -> Detector:
    entry = registry.get(version)
    folder = registry.folder(entry.version)
    source = EngineSource(folder, digest=entry.digest)
    return detector_of_bundle(folder, source=source, likely=registry.run_of(entry))


def _gate_data(detectors: list[Detector], data: str | None) -> tuple[str, Manifest]:
    """Return the data that are named, or the first training's that have a gate split, and where
    they lie.
    """
    if data is not None:
        return data, scored_data(detectors[0], data)
    for one in detectors:
        if one.manifest is not None and (one.manifest.rows["split"] == SPLIT).any():
            return str(one.manifest.origin), one.manifest
    known = [one.name for one in detectors if one.manifest is not None]
    told = f"the data of {' and '.join(known)} have no gate split" if known else (
        f"the data that {' and '.join(one.name for one in detectors)} were trained with are not"
        " known here"
    )  # fmt: skip
    raise UsageError(
        f"there is no gate split: {told}",
        why="a version is let through for what it does on people that no training has seen",
        next_step="pass --data MANIFEST; `deepfake-lightning data split` makes one with a gate"
        " split",
    )


def _cropped(detectors: list[Detector], manifest: Manifest, policy: GatePolicy) -> bool | None:
    """Return whether pictures are taken for crops: the same for all, so that they can be compared.

    A training's own data are taken as it took them, as ``test`` does.
    """
    if policy.data.already_cropped is not None:
        return policy.data.already_cropped
    return True if any(one.is_own(manifest) and one.face == "auto" for one in detectors) else None


@dataclass(frozen=True)
class _Counted:
    """How the split is scored, with what is done told as so many of so many."""

    data: str
    workers: int | None
    cropped: bool | None
    progress: Progress

    def score(self, detector: Detector, workspace: Workspace) -> Subject:
        at, done, number = "", 0, 0

        def begin(what: str, total: int) -> None:
            nonlocal at, done, number
            at, done, number = f"{detector.name}: {what}", 0, total
            self.progress(at, done, number)

        def advance(_: object) -> None:
            nonlocal done
            done += 1
            self.progress(at, done, number)

        how = Scoring(self.workers, already_cropped=self.cropped, phase=begin, progress=advance)
        return score_split(
            detector, workspace=workspace, data=self.data, split=SPLIT, how=how, command=COMMAND
        )


def _seen(measured: Measured, workspace: Workspace, manifest: Manifest) -> Measured:
    """Return it with all looks at the split, and how many detectors they were for."""
    part, _ = split_of(manifest, SPLIT)
    found = looks(workspace, part, SPLIT)
    return replace(measured, looks=len(found), detectors=len({one.scored for one in found}))


def _measured(found: Evaluation) -> Measured:
    data, counts = found.subject.data, found.counts
    return Measured(
        origin=str(data["origin"]), content_hash=str(data["content_hash"]), real=counts.real,
        fake=counts.fake, unscored=counts.without_score, groups=counts.groups, looks=0, detectors=0,
        auroc=found.results["item"].metrics["auroc"],
        kinds=_kinds(found), methods=_methods(found), findings=found.subject.findings,
        notes=found.subject.notes,
    )  # fmt: skip


def _kinds(found: Evaluation) -> tuple[KindMeasured, ...]:
    kinds = []
    for one in found.kinds:
        at = next(each for each in one.thresholds if each.decides)
        if one.kind is not None:
            kinds.append(
                KindMeasured(
                    one.kind, one.real, one.fake, at.found, at.false_alarms, one.after["ece"]
                )
            )
    return tuple(kinds)


def _methods(found: Evaluation) -> tuple[MethodMeasured, ...]:
    by = next((one for one in found.breakdowns if one.column == "method"), None)
    groups = () if by is None else by.subgroups
    return tuple(
        MethodMeasured(one.value, one.fake, one.auroc, _rest(one.missed)) for one in groups
    )


def _rest(share: Interval) -> Interval:
    """Return what a share leaves of 1."""
    value, low, high = share.value, share.low, share.high
    return Interval(
        None if value is None else 1 - value,
        None if high is None else 1 - high,
        None if low is None else 1 - low,
    )
