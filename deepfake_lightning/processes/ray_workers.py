"""Jobs on a Ray cluster: an actor is one process that does one job after another.

A job whose actor ends under it is done again, in a process apart that the actor starts for it
(``pool``): a job that crashes ends that one, and is lost for the reason that it is lost for on one
machine; one whose machine was lost is done, and no job is lost for that reason.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from deepfake_lightning.errors import ClusterError, DeepfakeLightningError
from deepfake_lightning.processes.outcomes import Lost, run_here, too_slow
from deepfake_lightning.processes.pool import run_in_pool

Job = TypeVar("Job")
Result = TypeVar("Result")
Label = TypeVar("Label")

Raised = tuple[type[DeepfakeLightningError], ...]

# Of these two versions may give other pictures or scores.
_MADE_WITH = ("deepfake-lightning", "av", "decord", "numpy", "onnxruntime",
              "opencv-python-headless")  # fmt: skip
_START_SECONDS = 300.0  # until one process is there: a cluster may have to add a machine
_STARTS = 3  # in a row that may fail, on machines that stay
_TRIES = 4  # of a job, the first included, whose actor ends under it
_APPEARS_SECONDS = 10.0  # until what was made on one machine is seen on another


class _Worker:
    """What runs on the cluster; ``begin`` is its first call.

    It is no constructor: what that raises does not come back as it was.
    """

    def begin(
        self, function: Callable[[Any], Any], prepare: Callable[[], None], folder: str
    ) -> dict[str, str]:
        """Set the process up; return the versions it works with."""
        if Path(folder).is_dir():  # paths may be relative to it; those of jobs are looked for
            os.chdir(folder)
        prepare()
        self._function, self._prepare = function, prepare
        return _versions()

    def is_there(self) -> None:
        """Do nothing: who is asked is there, or the call fails."""

    def do(self, job: Any, needs: list[Path], raised: Raised) -> Any:
        """Return the result of a job."""
        for path in needs:
            _await(path)
        return run_here(self._function, job, raised=raised)

    def do_apart(self, job: Any, needs: list[Path], raised: Raised, timeout: float) -> Any:
        """Return the result of a job that may crash."""
        for path in needs:
            _await(path)
        one = run_in_pool(
            self._function, iter([(None, job)]), workers=1, timeout=timeout, prepare=self._prepare,
            raised=raised,
        )  # fmt: skip
        ((_, found),) = one
        return found


def _await(path: Path) -> None:
    """Wait until a path is seen that another machine sees."""
    end = time.monotonic() + _APPEARS_SECONDS
    while not path.exists():
        if time.monotonic() > end:
            raise ClusterError(
                f"{path} is not there on {socket.gethostname()}, a machine of the Ray cluster",
                why="all machines have to see what is read and written, under the same paths",
                next_step="put data, workspace and results on storage that all of them mount",
            )
        time.sleep(0.2)


def _versions() -> dict[str, str]:
    found = {}
    for name in _MADE_WITH:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


@dataclass(frozen=True)
class _Task(Generic[Label, Job]):
    """A job, and where it stands.

    Attributes:
        label, job: as they came.
        ended: how often it was given out before, to one that has ended.
        actor: who does it.
        deadline: when it is stopped, on the clock ``time.monotonic``; None: whoever does it knows.
    """

    label: Label
    job: Job
    ended: int = 0
    actor: Any = None
    deadline: float | None = None


@dataclass(frozen=True)
class _Start:
    """An actor that is starting, and how many machines had been lost before."""

    actor: Any
    lost: int


def _lost_machines() -> int:
    return sum(not machine["Alive"] for machine in ray.nodes())


@dataclass
class _Team(Generic[Label, Job]):
    """The actors, and what each does; arguments as of :func:`run_on_ray`."""

    function: Callable[[Job], Any]
    prepare: Callable[[], None]
    timeout: float
    raised: Raised
    needs: Callable[[Job], Iterable[Path]]
    idle: list[Any] = field(default_factory=list)
    starting: dict[Any, _Start] = field(default_factory=dict)
    asked: dict[Any, Any] = field(default_factory=dict)
    under_way: dict[Any, _Task[Label, Job]] = field(default_factory=dict)
    failed_starts: int = 0

    def start(self) -> None:
        actor = ray.remote(num_cpus=1, max_restarts=0)(_Worker).remote()
        begun = actor.begin.remote(self.function, self.prepare, os.getcwd())  # noqa: PTH109
        self.starting[begun] = _Start(actor, _lost_machines())

    def give(self, task: _Task[Label, Job]) -> None:
        """Let an idle actor do a job."""
        actor, job = self.idle.pop(), task.job
        needs = [path for path in self.needs(job) if path.exists()]  # else the job's own fault
        if task.ended:
            done = actor.do_apart.remote(job, needs, self.raised, self.timeout)
            deadline = None
        else:
            done = actor.do.remote(job, needs, self.raised)
            deadline = time.monotonic() + self.timeout
        self.under_way[done] = _Task(task.label, job, task.ended, actor, deadline)

    def settle(self) -> Iterator[tuple[_Task[Label, Job], Any]]:
        """Wait until something happens; yield jobs that have come to an end, and to what."""
        refs = [*self.starting, *self.asked, *self.under_way]
        ready, _ = ray.wait(refs, timeout=self._seconds())
        if not ready and not self.under_way:
            raise ClusterError(
                f"no process of the Ray cluster has started in {_START_SECONDS:g} s",
                why="its cores are taken, or its machines cannot start one",
                next_step="see what `ray status` says, or pass fewer --workers",
            )
        for ref in ready:
            if ref in self.starting:
                self._note_start(self.starting.pop(ref), ref)
            elif ref in self.asked:
                actor = self.asked.pop(ref)
                if not isinstance(_result(ref), _Gone):
                    self.idle.append(actor)
            else:
                task = self.under_way.pop(ref)
                found = _result(ref)
                if isinstance(found, _Gone):
                    self._ask_idle()
                else:
                    self.idle.append(task.actor)
                yield task, found
        now = time.monotonic()
        for ref, task in [*self.under_way.items()]:
            if task.deadline is not None and task.deadline < now:
                del self.under_way[ref]
                ray.kill(task.actor)
                yield task, too_slow(self.timeout)

    def end(self) -> None:
        """End all actors, whatever they do."""
        busy = [task.actor for task in self.under_way.values()]
        starting = [start.actor for start in self.starting.values()]
        for actor in (*self.idle, *starting, *self.asked.values(), *busy):
            ray.kill(actor)

    def _seconds(self) -> float:
        deadlines = [task.deadline for task in self.under_way.values() if task.deadline is not None]
        return max(0.0, min([*deadlines, time.monotonic() + _START_SECONDS]) - time.monotonic())

    def _note_start(self, start: _Start, begun: Any) -> None:
        try:
            theirs = ray.get(begun)
        except RayTaskError as error:
            raise _told(error) from None
        except RayError as error:
            if _lost_machines() > start.lost:  # it may have been on that one
                return
            self.failed_starts += 1
            if self.failed_starts == _STARTS:
                raise ClusterError(
                    "a machine of the Ray cluster cannot start a process",
                    why=str(error).strip().splitlines()[-1],
                    next_step="install deepfake-lightning[ray] on all of them, in the same version",
                ) from error
            return
        _check_same(_versions(), theirs)
        self.failed_starts = 0
        self.idle.append(start.actor)

    def _ask_idle(self) -> None:
        """Give no job to those that have ended, too: a machine may have been lost."""
        self.asked |= {actor.is_there.remote(): actor for actor in self.idle}
        self.idle.clear()


class _Gone:
    """Who did a job is no longer there."""


def _result(done: Any) -> Any:
    try:
        return ray.get(done)
    except RayTaskError as error:
        raise _told(error) from None
    except RayError:  # its process or machine has ended
        return _Gone()


def run_on_ray(
    function: Callable[[Job], Result],
    jobs: Iterator[tuple[Label, Job]],
    *,
    workers: int,
    timeout: float,
    prepare: Callable[[], None],
    raised: Raised,
    needs: Callable[[Job], Iterable[Path]],
) -> Generator[tuple[Label, Result | Lost], None, None]:
    """Do jobs as :func:`~deepfake_lightning.processes.run_jobs` says, on a connected cluster."""
    team: _Team[Label, Job] = _Team(function, prepare, timeout, raised, needs)
    waiting: deque[_Task[Label, Job]] = deque()
    try:
        while True:
            while len(waiting) + len(team.under_way) < workers:
                if (task := next(jobs, None)) is None:
                    break
                waiting.append(_Task(*task))
            if not waiting and not team.under_way:
                return
            while waiting and team.idle:
                team.give(waiting.popleft())
            while len(team.starting) + len(team.asked) < len(waiting):
                team.start()
            for ended, found in team.settle():
                if not isinstance(found, _Gone):
                    yield ended.label, found
                elif ended.ended + 1 < _TRIES:
                    waiting.appendleft(_Task(ended.label, ended.job, ended.ended + 1))
                else:
                    raise _unstable(ended.job)
    finally:
        team.end()  # interrupted: what is under way is done again another time


def _unstable(job: object) -> ClusterError:
    # A crash of its own ends a process apart, and not the actor.
    return ClusterError(
        f"the Ray cluster has lost each of {_TRIES} processes that worked on {str(job)[:200]}",
        why="their machines ended, or had no memory left",
        next_step="see what `ray status` says, then run the same command again, with fewer "
        "--workers where memory is short",
    )


def _told(error: RayTaskError) -> BaseException:
    """Return the error of a job, or what keeps all jobs from being done."""
    cause = error.cause
    if isinstance(cause, DeepfakeLightningError):
        return cause
    return ClusterError(
        "a machine of the Ray cluster cannot do jobs",
        why=f"{type(cause).__name__}: {cause}".partition("\n")[0],
        next_step="install deepfake-lightning[ray] on all of them, in the same version",
    )


def _check_same(here: dict[str, str], there: dict[str, str]) -> None:
    """Refuse machines whose libraries might give other results."""
    differ = [f"{name} {there.get(name)} for {ours}" for name, ours in here.items()
              if there.get(name) != ours]  # fmt: skip
    if differ:
        raise ClusterError(
            f"a machine of the Ray cluster has {', '.join(differ)}",
            why="other versions may give other pictures and scores",
            next_step="install the same versions on all machines",
        )
