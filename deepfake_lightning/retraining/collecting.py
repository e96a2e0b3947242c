"""New labelled media for a training: from requests whose media are kept, and from dropped files.

Everything that is not in the training data yet is collected, not only what came since the latest
loop: what a loop that came to nothing has used is not lost. What is trained on already and has
another label by now is told, so that the data are put right.

Media of requests are linked, or copied where they cannot be, into the loop's own folder, under the
ids of their requests, so that :mod:`~deepfake_lightning.retraining.erasing` finds them. Dropped
files are copied: a link would change when they came, as
:mod:`~deepfake_lightning.retraining.dropped` sees it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.drift import read_drift
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.review import media_folder
from deepfake_lightning.monitoring.review.media_files import media_in
from deepfake_lightning.retraining.dropped import DroppedFile, dropped_files, key_of
from deepfake_lightning.retraining.labelled import Labelled, LabelledRequest, read_labelled
from deepfake_lightning.retraining.new_items import NewItem, NewItems
from deepfake_lightning.retraining.policy import Kind, RetrainPolicy
from deepfake_lightning.storage import Workspace

_NEAR = 0.2  # of a half, in calibrated probability


def find_new(
    log: LogDatabase | None,
    workspace: Workspace,
    environment: str,
    policy: RetrainPolicy,
    *,
    files_since_us: int,
    known_files: Callable[[], Collection[Path]] = frozenset,
    learnt: Mapping[str, int] | None = None,
    group_pattern: str | None = None,
) -> NewItems:
    """Return what there is to train on; nothing is copied.

    Args:
        log: the prediction log; None where there is none.
        workspace: whose.
        environment: whose requests.
        policy: what is taken, and whose labels count.
        files_since_us: files that came before are in the training data, or were not to be.
        known_files: gives the files of the training data, resolved.
        learnt: requests that are trained on already, and their labels there.
        group_pattern: of the training, for names of files.

    Raises:
        StorageError: the log, or the folder of kept media, could not be read.
    """
    left_out: Counter[str] = Counter()
    labelled, found = None, list[NewItem]()
    corrected: dict[str, int | None] = {}
    if log is not None:
        labelled = read_labelled(log, environment, policy.checks)
        left_out.update(labelled.left_out)
        corrected = _corrected(labelled, learnt or {})
        kept = media_in(media_folder(workspace, log))
        windows = _drifted(log, environment)
        for one in labelled.requests:
            if one.request_id in (learnt or {}):
                left_out["trained on already"] += one.request_id not in corrected
                continue
            if one.request_id not in kept:
                left_out["labelled, and their media are not kept"] += 1
                continue
            kind = kind_of(one, windows)
            found.append(NewItem(one.request_id, one.label, kind, one.media_type, one.ts_us,
                                 str(kept[one.request_id]), request=True,
                                 already_cropped=one.already_cropped))  # fmt: skip
    files, reasons = dropped_files(workspace, files_since_us, known_files, group_pattern)
    left_out.update(reasons)
    found += [_of_file(one) for one in files]
    return NewItems(_chosen(found, policy, left_out), dict(+left_out), labelled, corrected)


def _corrected(labelled: Labelled, learnt: Mapping[str, int]) -> dict[str, int | None]:
    """Return what is trained on with a label that is not its own (any more)."""
    now: dict[str, int | None] = {one.request_id: one.label for one in labelled.requests}
    now |= dict.fromkeys(labelled.doubted)
    return {name: now[name] for name, label in learnt.items() if now.get(name, label) != label}


def kind_of(one: LabelledRequest, windows: Mapping[str, Sequence[tuple[int, int]]]) -> Kind:
    """Return what an item is to a detector, the first that applies.

    Args:
        one: the request.
        windows: version -> times in which drift of its requests was confirmed.
    """
    if (one.verdict, one.label) in (("manipulation_indicated", 0), ("no_indication", 1)):
        return "misclassified"
    near = one.calibrated and one.score is not None and abs(one.score - 0.5) < _NEAR
    if one.verdict == "inconclusive" or near:
        return "uncertain"
    if any(start <= one.ts_us < end for start, end in windows.get(one.version, ())):
        return "drifted"
    return "other"


def take_media(found: NewItems, folder: Path) -> NewItems:
    """Link media of requests and copy files into a folder; return the items with the names there.

    What is gone by now is left out. Done again, it takes what is missing.

    Raises:
        StorageError: the disk refused.
    """
    left_out, items = Counter(found.left_out), []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for one in found.items:
            source = Path(one.media)
            name = f"{one.key}{source.suffix.lower()}"
            if _take(source, folder / name, link=one.request):
                items.append(NewItem(**{**asdict(one), "media": name}))
            else:
                left_out["their media were removed meanwhile"] += 1
    except OSError as error:
        raise StorageError(
            f"media cannot be copied to {folder}: {error.strerror or error}",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
    return replace(found, items=tuple(items), left_out=dict(left_out))


def _take(source: Path, target: Path, *, link: bool) -> bool:
    if target.exists():
        return True
    aside = target.with_name(f".{target.name}")
    aside.unlink(missing_ok=True)
    try:
        if not (link and _linked(source, aside)):
            shutil.copyfile(source, aside)
        aside.rename(target)
    except FileNotFoundError:  # it is removed, or erased even as it is taken
        return False
    return True


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        return False
    return True


def _of_file(one: DroppedFile) -> NewItem:
    return NewItem(key_of(one.path), one.label, "files", one.media_type, one.changed_us,
                   str(one.path), request=False, fields=one.fields)  # fmt: skip


def _drifted(log: LogDatabase, environment: str) -> dict[str, list[tuple[int, int]]]:
    windows: dict[str, list[tuple[int, int]]] = {}
    for one in read_drift(log, environment=environment):
        if one.confirmed:
            windows.setdefault(one.version, []).append((one.start_us, one.end_us))
    return windows


def _chosen(
    found: Sequence[NewItem], policy: RetrainPolicy, left_out: Counter[str]
) -> tuple[NewItem, ...]:
    """Return what the policy takes: by its order of kinds, and the latest first."""
    place = {kind: number for number, kind in enumerate(policy.take)}
    for one in found:
        if one.kind not in place:
            left_out[f"not taken by the policy: {one.kind}"] += 1
    taken = sorted((one for one in found if one.kind in place),
                   key=lambda one: (place[one.kind], -one.ts_us, one.key))  # fmt: skip
    if len(taken) > policy.most:
        left_out["more than the policy takes"] += len(taken) - policy.most
    return tuple(taken[: policy.most])
