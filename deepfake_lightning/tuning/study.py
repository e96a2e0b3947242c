"""Optuna's study of a sweep: where it is stored, what it is of, how it samples and prunes."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from jsonargparse import get_loader
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock, JournalRedisBackend
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from deepfake_lightning.errors import UsageError
from deepfake_lightning.passwords import without_passwords
from deepfake_lightning.tuning.database import PatientStorage, shown
from deepfake_lightning.tuning.sweep import Sweep


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna speak of what is wrong only; its state is shown by what runs the sweep."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Heartbeat of storage is supposed to be used with.*")
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
    logger.setLevel(before)


def open_storage(storage: str | None, folder: Path, *, waits: bool = False) -> BaseStorage:
    """Open Optuna's storage.

    Args:
        storage: an URL (SQLAlchemy's, or redis://), the path of a journal, or None: the journal of
            the folder.
        folder: of the study.
        waits: whether a database that is away is waited for: it has been there before.

    Raises:
        UsageError: it cannot be opened; a password in it is not shown.
        StorageError: it was waited for in vain.
    """
    if storage is None or "://" not in storage:
        path = folder / "journal.log" if storage is None else Path(storage)
        path.parent.mkdir(parents=True, exist_ok=True)
        _mend(path)
        return JournalStorage(JournalFileBackend(str(path)))
    try:
        if storage.startswith("redis"):
            return JournalStorage(JournalRedisBackend(storage))
        return PatientStorage(storage, waits=waits)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        said = " ".join(without_passwords(str(error)).split())
        raise UsageError(
            f"the storage {shown(storage)} cannot be opened: {said[:200]}",
            next_step="check the URL and that its driver is installed (for PostgreSQL `pip install "
            "'psycopg[binary]'`); `storage: null` is a journal in the study's folder",
        ) from error


def _mend(journal: Path) -> None:
    """Drop a last line that a power cut or a full disk has left torn: no reader gets past it."""
    if not journal.is_file() or not journal.stat().st_size:
        return
    guard = JournalFileSymlinkLock(str(journal))
    guard.acquire()
    try:
        with journal.open("rb+") as file:
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
    finally:
        guard.release()


def meaning(sweep: Sweep) -> dict[str, Any]:
    """Return what the values of a study mean, and so may not change within it."""
    return {
        "base": get_loader("yaml")(Path(sweep.base).read_text(encoding="utf-8")),
        "overrides": sweep.overrides,
        "objective": sweep.objective,
        "space": {key: one.model_dump(mode="json") for key, one in sweep.space.items()},
    }


def open_study(sweep: Sweep, storage: BaseStorage) -> optuna.Study:
    """Create the study, or go on with the one of that name.

    One in which nothing was finished yet may still be changed, and is begun anew.

    Raises:
        UsageError: the study is of another base, space or objective.
    """
    says = meaning(sweep)
    names = {one.study_name for one in optuna.get_all_study_summaries(storage)}
    if sweep.study in names:
        study = optuna.load_study(study_name=sweep.study, storage=storage)
        known = study.user_attrs.get("sweep")
        if known == json.loads(json.dumps(says)):
            return study
        if known is None or _holds_results(study):
            raise UsageError(
                f"the study {sweep.study} is {_of_what_else(known, says)}",
                why="trials of two sweeps cannot be compared with each other",
                next_step="pass --study with another name, or go back to what it was",
            )
        optuna.delete_study(study_name=sweep.study, storage=storage)
    study = optuna.create_study(study_name=sweep.study, storage=storage, direction=sweep.direction)
    # What optuna-dashboard calls the objective.
    study.set_metric_names([sweep.objective])
    study.set_user_attr("sweep", says)
    return study


def _holds_results(study: optuna.Study) -> bool:
    held = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return bool(study.get_trials(deepcopy=False, states=held))


def _of_what_else(known: Any, says: dict[str, Any]) -> str:
    if not isinstance(known, dict):
        return "not one of this command"
    plain = json.loads(json.dumps(says))
    for part in ("objective", "space", "overrides", "base"):
        if known.get(part) == plain[part]:
            continue
        if part == "objective":
            return f"one of {known.get(part)}, and not of {plain[part]}"
        before, after = _flat(known.get(part)), _flat(plain[part])
        key = next(k for k in {**before, **after} if before.get(k) != after.get(k))
        return f"of another {part}: {key} was {before.get(key)}, and is {after.get(key)}"
    return "of another version of this command"


def _flat(tree: Any, way: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {way: tree}
    parts = [_flat(value, f"{way}.{key}" if way else str(key)) for key, value in tree.items()]
    return {key: value for part in parts for key, value in part.items()}


def sampler_for(sweep: Sweep, number: int) -> TPESampler:
    """Return the sampler of a trial.

    Each number has a seed of its own, so that a sweep that goes on does not repeat its beginning,
    and one worker proposes the same whether it was interrupted or not.
    """
    digest = hashlib.blake2b(f"{sweep.seed}/{number}".encode(), digest_size=4).digest()
    return TPESampler(seed=int.from_bytes(digest, "big"))


def pruner_for(sweep: Sweep, max_epochs: int | None) -> BasePruner:
    """Return the pruner.

    Args:
        sweep: says which.
        max_epochs: of a training, which Hyperband divides.
    """
    one = sweep.pruner
    if one.kind == "median":
        return MedianPruner(n_startup_trials=one.startup_trials, n_warmup_steps=one.warmup_epochs)
    if one.kind == "hyperband":
        most = max_epochs if max_epochs and max_epochs > 0 else "auto"
        return HyperbandPruner(min_resource=one.warmup_epochs + 1, max_resource=most)
    return NopPruner()
