"""The steps of a loop. Each may be begun again where it was interrupted, and is done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import import_module
from threading import Thread
from typing import Any

from deepfake_lightning.registry import Entry, Registry, Wish
from deepfake_lightning.retraining.collecting import find_new, take_media
from deepfake_lightning.retraining.erasing import MEDIA, gone, remove
from deepfake_lightning.retraining.new_items import NewItems, items_of
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import COLLECTED, LoopRecord, Loops, Step
from deepfake_lightning.retraining.work import Refused, Work
from deepfake_lightning.schemas import read_manifest
from deepfake_lightning.storage import file_hash, write_json


def collect(work: Work) -> dict[str, Any]:
    """Take the media of new items into the loop's folder."""
    work.progress("collecting new media", 0, 0)
    found = find_new(
        work.log, work.workspace, work.record.environment, work.policy,
        files_since_us=work.base.began_us, known_files=work.base.files, learnt=work.base.learnt(),
        group_pattern=work.base.data.get("group_pattern"),
    )  # fmt: skip
    taken = take_media(found, work.folder / MEDIA)
    record = taken.to_dict()
    write_json(work.folder / COLLECTED, {"schema": 1, **record})
    if not taken.items:
        raise Refused("there is nothing new to learn from: no labelled media that are not known")
    before = _same(work, taken)
    if before is not None:
        raise Refused(f"there is nothing new to learn from: {before.version} came of the same media"
                      f" in loop {before.number}")  # fmt: skip
    return {name: record[name] for name in ("counts", "left_out", "corrected")} | {
        "items": len(taken.items), "held": [one["client"] for one in record["clients"]
                                            if one["held"]]}  # fmt: skip


def merge(work: Work) -> dict[str, Any]:
    """Cut faces out, leave copies out, and write the data of the training."""
    from deepfake_lightning.bundle import load_bundle
    from deepfake_lightning.retraining.cutting import cut
    from deepfake_lightning.retraining.merging import merge as merged

    drop_erased(work)
    collected = json.loads((work.folder / COLLECTED).read_text("utf-8"))
    items = [one for one in items_of(collected) if (work.folder / MEDIA / one.media).is_file()]
    preprocess = load_bundle(Registry(work.workspace).folder(work.base.version)).preprocess
    rows, unusable = cut(
        items, work.base.manifest, preprocess, work.folder, workers=work.workers,
        face=work.base.data.get("face") or "auto", progress=work.progress,
    )  # fmt: skip
    found = merged(
        rows, work.base.manifest, work.folder, work.record.name, share=work.policy.new_slice,
        # A loop that an older version began has none.
        corrected=collected.get("corrected", {}), workers=work.workers, progress=work.progress,
    )  # fmt: skip
    if not found.new:
        raise Refused("there is nothing new to learn from: all new media are copies, without a "
                      "face, or too few")  # fmt: skip
    return {**asdict(found), "left_out": {**unusable, **found.left_out}}


def train(work: Work) -> dict[str, Any]:
    """Train; what was erased since the data were merged is taken out of them first."""
    from deepfake_lightning.retraining.merging import DATA
    from deepfake_lightning.retraining.training import train as trained

    # Another process trains; meanwhile this one imports what registers, which takes seconds.
    importing = Thread(target=import_module, args=["deepfake_lightning.release"], daemon=True)
    importing.start()
    found = trained(
        work.base, work.policy.train, work.folder / DATA, work.folder, work.workspace,
        work.record.name, new_fakes=work.record.result("merge")["train"]["fake"],
        environ=work.environ, progress=work.progress,
    )  # fmt: skip
    importing.join()
    plain = {**asdict(found), "run": found.run.name, "checkpoint": found.checkpoint.name}
    return {**plain, "experiment": found.run.parent.name, "sha256": file_hash(found.checkpoint)}


def register(work: Work) -> dict[str, Any]:
    """Register the checkpoint, unless an interrupted attempt has done so already."""
    from deepfake_lightning.release import release_checkpoint

    registry, made = Registry(work.workspace), work.record.result("train")
    run = work.workspace.runs / made["experiment"] / made["run"]
    there = _registered(registry, made)
    notes: tuple[str, ...] = ()
    if there is None:
        wish = Wish(reason=work.reason, by=work.record.by, parent=work.base.version)
        release = release_checkpoint(
            registry, run / "checkpoints" / made["checkpoint"], wish, recalibrate=True,
            workers=work.workers, progress=work.progress,
        )  # fmt: skip
        there, notes = release.entry, release.notes
    auroc = there.metrics.get("auroc")
    return {"version": there.version, "digest": there.digest, "notes": list(notes),
            "auroc": None if auroc is None else auroc.value}  # fmt: skip


def evaluate(work: Work) -> dict[str, Any]:
    """Hold the version against the one that it started from."""
    from deepfake_lightning.retraining.evaluating import evaluate_pair

    return evaluate_pair(
        Registry(work.workspace), work.base, work.version, work.folder,
        margin=work.policy.margin, workers=work.workers, progress=work.progress,
    )  # fmt: skip


def stage(work: Work) -> dict[str, Any]:
    """Deploy to staging, through the gate and the tests of a real server."""
    return _deployed(work, "staging")


def goal(work: Work) -> dict[str, Any]:
    """Let it serve as the policy says."""
    from deepfake_lightning.deployment.environment import Environment

    environment = Environment(work.workspace, work.record.environment)
    if work.version in environment.record().versions:  # an interrupted attempt has done it
        return {"goal": work.policy.goal, "change": environment.record().change}
    if work.policy.goal != "abtest":
        return {"goal": work.policy.goal, **_deployed(work, work.record.environment)}
    from deepfake_lightning.deployment.experiments import Start, policy_of, start

    rules = policy_of(work.workspace)
    wish = Start((work.version,), work.record.environment, policy=rules, reason=work.reason,
                 by=work.record.by)  # fmt: skip
    experiment, change = start(work.workspace, wish)
    return {"goal": "abtest", "experiment": experiment.name, "change": change.hash}


STEPS: dict[Step, Callable[[Work], dict[str, Any]]] = {
    "collect": collect, "merge": merge, "train": train, "register": register,
    "evaluate": evaluate, "stage": stage, "goal": goal,
}  # fmt: skip


def drop_erased(work: Work) -> int:
    """Remove what was collected of requests that were erased since; return of how many."""
    from deepfake_lightning.retraining.erasing import requests_of

    names = requests_of(work.folder)
    if work.log is None or not names:
        return 0
    return remove(work.folder, gone(work.log, names))


def is_whole(work: Work) -> bool:
    """Return whether all new media of the merged data are there: erased ones are not."""
    from deepfake_lightning.retraining.merging import DATA, SLICE

    for path in (work.folder / DATA, work.folder / SLICE):
        if path.is_file():
            manifest = read_manifest(path)
            new = manifest.rows["path"].str.startswith(f"{work.record.name}/")
            if not all((manifest.root / one).is_file() for one in manifest.rows["path"][new]):
                return False
    return True


def _same(work: Work, taken: NewItems) -> LoopRecord | None:
    """Return a loop that has learnt the same from the same; a person may want that again."""
    if work.record.trigger["observed"]["by_hand"] is not None:
        return None
    loops, mine = Loops(work.workspace), {(one.key, one.label) for one in taken.items}
    for one in reversed(loops.all(work.record.environment)):
        policy = RetrainPolicy.model_validate(one.trigger["policy"])
        path = loops.folder(one.number) / COLLECTED
        if (one.outcome, one.base) != ("done", work.base.version) or not path.is_file():
            continue
        found = items_of(json.loads(path.read_text("utf-8")))
        if policy.train == work.policy.train and {(its.key, its.label) for its in found} == mine:
            return one
    return None


def _registered(registry: Registry, made: Mapping[str, Any]) -> Entry | None:
    for entry in registry.entries():
        source = entry.registration.source
        if source is not None and entry.checkpoint == made["sha256"] and (
            source.experiment, source.run) == (made["experiment"], made["run"]):  # fmt: skip
            return entry
    return None


def _deployed(work: Work, environment: str) -> dict[str, Any]:
    from deepfake_lightning.deployment.canary import policy_of
    from deepfake_lightning.deployment.deploying import Wish as Deployed
    from deepfake_lightning.deployment.deploying import deploy
    from deepfake_lightning.deployment.gate.reading import policy_for

    rules, policy_from = policy_for(work.workspace)
    canary = work.policy.goal == "canary" and environment == work.record.environment
    wish = Deployed(
        work.version, environment, rules, work.reason, by=work.record.by, policy_from=policy_from,
        workers=work.workers, canary=policy_of(work.workspace) if canary else None,
    )  # fmt: skip
    found = deploy(work.workspace, wish, progress=work.progress)
    decision, kept = found.decision, found.folder.relative_to(work.workspace.deployment)
    if not decision.goes and decision.outcome != "nothing to do":
        failed = "; ".join(f"{one.name}: {one.says}" for one in decision.failed)
        raise Refused(f"the gate of {environment} says no ({kept.as_posix()}): {failed}")
    return {"decision": kept.as_posix(), "change": found.change and found.change.hash}
