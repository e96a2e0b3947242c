"""Windows that are due, judged and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deepfake_lightning.errors import BundleError, RegistryError, StorageError, UsageError
from deepfake_lightning.monitoring.drift.judging import judge
from deepfake_lightning.monitoring.drift.policy import DriftPolicy, policy_of
from deepfake_lightning.monitoring.drift.records import DriftRecord, keep_record, read_drift
from deepfake_lightning.monitoring.drift.reference import DriftReference, reference_for
from deepfake_lightning.monitoring.drift.sampling import read_items
from deepfake_lightning.monitoring.drift.windows import (
    DAY_US,
    DriftWindow,
    Minutes,
    active_versions,
    final_until,
    last_ends,
)
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.writing import minute_of
from deepfake_lightning.storage import Workspace

MOST = 24
"""Windows of a version in one call: a day of the shortest ones, some seconds."""
_LOOKED_BACK = 10

Progress = Callable[[int, int], None]


def check_drift(
    log: LogDatabase,
    workspace: Workspace,
    *,
    environment: str,
    now_us: int,
    policy: DriftPolicy | None = None,
    progress: Progress | None = None,
) -> list[DriftRecord]:
    """Judge the windows that have ended, of each version that answers, and keep what is found.

    A window is judged once, whoever asks and how often. Where many have ended, 24 of each version
    are judged, and the others by the next calls, the oldest first.

    Args:
        log: of which.
        workspace: whose registry and baselines windows are compared with.
        environment: whose requests.
        now_us: the time, microseconds since 1970, UTC.
        policy: None: the workspace's.
        progress: told windows done and windows to do.

    Returns:
        What was kept in this call, by version, the oldest window first.

    Raises:
        UsageError: the policy's file cannot work.
        StorageError: the log, a bundle or a baseline could not be read, or the log not written; the
            other versions were judged, and what could not be is judged by the next call.
    """
    policy = policy or policy_of(workspace)
    by_version = _due(log, environment, now_us, policy)
    total, done = sum(len(windows) for windows in by_version.values()), 0
    found: list[DriftRecord] = []
    faults: list[StorageError] = []
    for version, windows in by_version.items():
        judge_all = _Judging(log, workspace, policy, environment, version)
        try:
            for record in judge_all.records(windows):
                if not keep_record(log, record):
                    break  # another process is at it
                found.append(record)
                done += 1
                if progress is not None:
                    progress(done, total)
        except StorageError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return found


def _due(
    log: LogDatabase, environment: str, now_us: int, policy: DriftPolicy
) -> dict[str, list[DriftWindow]]:
    """Version -> its windows that have ended and were not looked at, the oldest first."""
    # A window lasts for max_days at most, and is looked for as long once it has ended.
    since = minute_of(now_us - round(2 * policy.max_days * DAY_US))
    until = final_until(log, since, now_us, policy)
    ends = last_ends(log, environment)
    due: dict[str, list[DriftWindow]] = {}
    for version, (first, last) in active_versions(log, environment, since).items():
        after = max(ends.get(version, since), first, since)
        due[version] = []
        step = DAY_US
        while after < min(last, until) and len(due[version]) < MOST:
            # Counts of a day, and of more only where no window ends in it.
            end = min(after + step, last, until)
            minutes = Minutes(log, environment, after, end)
            final = until if end == min(last, until) else end
            found = minutes.windows(version, after, final, policy, MOST - len(due[version]))
            due[version] += found
            if found:
                after = found[-1].end_us
            elif final == until:
                break
            else:
                step *= 2
    return due


@dataclass
class _Judging:
    """Windows of one version, one after the other."""

    log: LogDatabase
    workspace: Workspace
    policy: DriftPolicy
    environment: str
    version: str
    _reference: DriftReference | None = field(default=None, init=False)

    def records(self, windows: list[DriftWindow]) -> Iterator[DriftRecord]:
        before = self._last_judged() if windows else None
        for window in windows:
            record = self._judged(window, before)
            before = before if record.score is None else record
            yield record

    def _judged(self, window: DriftWindow, before: DriftRecord | None) -> DriftRecord:
        try:
            if self._reference is None:
                self._reference = reference_for(
                    self.workspace, self.environment, self.version, self.policy, self.log
                )
        except (BundleError, RegistryError, UsageError) as error:
            if isinstance(error.__cause__, OSError):  # it may well pass
                raise StorageError(
                    error.what, why=f"the windows of {self.version} wait to be judged",
                    next_step=error.next_step,
                ) from error  # fmt: skip
            return DriftRecord(
                window.environment, window.version, window.start_us, window.end_us, window.items,
                score=None, moved=False, confirmed=False, features=(), severity=None,
                reasons=(f"not judged, as there is nothing to compare with: {error.what}",),
            )  # fmt: skip
        items = read_items(self.log, window, self.policy.sampled)
        return judge(window, items, self._reference, self.policy, before)

    def _last_judged(self) -> DriftRecord | None:
        last = read_drift(
            self.log, environment=self.environment, version=self.version, last=_LOOKED_BACK
        )
        return next((one for one in reversed(last) if one.score is not None), None)
