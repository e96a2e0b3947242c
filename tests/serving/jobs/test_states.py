"""Any order of what clients and runners do leaves states, files and rows that fit each other."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from deepfake_lightning.serving.jobs import JobError, JobStore, Order, QueueFull
from deepfake_lightning.serving.jobs.desk import ATTEMPTS, JobDesk

LIMIT, KEEP = 4, 100
FOUND = {"status": "no_face"}
PICK = st.integers(0, 100)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk makes it ten times as long


class Jobs(RuleBasedStateMachine):
    """Compares a store with a list of [id, state, attempts, time of its end]."""

    @initialize()
    def open(self) -> None:
        self.root = Path(tempfile.mkdtemp(dir=MEMORY))
        self.now = 1_000_000
        self.sent = 0
        self.known: dict[str, list] = {}
        self.line: list[str] = []
        self.running = None
        self.restart()

    @rule()
    def restart(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.store = JobStore(
            self.root / "jobs", limit=LIMIT, keep_seconds=KEEP / 1e6, clock=lambda: self.now
        )
        self.desk = JobDesk(self.store)

    @rule(count=st.integers(1, 3))
    def submit(self, count: int) -> None:
        for _ in range(count):
            self._submit()

    def _submit(self) -> None:
        self.sent += 1
        name = f"job{self.sent}"
        spooled = self.root / name
        spooled.write_bytes(b"a video")
        order = Order(id=name, client="me", version="v1", digest="", bundle="")
        self.now += 1
        if len(self.line) < LIMIT:
            self.store.submit(order, spooled)
            self.known[name] = ["queued", 0, None]
            self.line.append(name)
        else:
            try:
                self.store.submit(order, spooled)
                raise AssertionError("it was full")
            except QueueFull:
                assert not spooled.exists()

    @precondition(lambda self: self.running is None and self.line)
    @rule()
    def claim(self) -> None:
        job = self.desk.claim()
        assert job.id == self.line.pop(0)
        self.known[job.id][:2] = ["running", self.known[job.id][1] + 1]
        assert job.attempts == self.known[job.id][1]
        self.running = job

    @precondition(lambda self: self.running is not None)
    @rule(how=st.sampled_from(["finish", "fail", "crash", "put back", "killed"]))
    def end(self, how: str) -> None:
        job, self.running = self.running, None
        wanted = self.known.get(job.id, [""])[0] == "running"
        self.now += 1
        if how == "finish":
            assert (self.desk.finish(job, FOUND) is not None) == wanted
        elif how == "fail":
            assert (self.desk.fail(job, JobError("timeout", "", "")) is not None) == wanted
        elif how == "put back":
            self.desk.put_back(job)
        elif how == "crash":
            self.desk.crashed(job)
        else:
            self.desk.take_up_lost()
        if not wanted:
            return
        kept = self.known[job.id]
        again = how in ("crash", "killed") and kept[1] < ATTEMPTS
        if how == "put back":
            kept[:2] = ["queued", kept[1] - 1]
            self.line.insert(0, job.id)
        elif again:
            kept[0] = "queued"
            self.line.append(job.id)
        else:
            kept[0], kept[2] = "done" if how == "finish" else "failed", self.now

    @precondition(lambda self: self.known)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        name = self._one(pick)
        unfinished = self.known[name][0] in ("queued", "running")
        assert self.store.cancel(name) == unfinished
        if unfinished:
            self.known[name][0], self.known[name][2] = "cancelled", self.now
            self.line = [each for each in self.line if each != name]

    @precondition(lambda self: self.known)
    @rule(pick=PICK)
    def erase(self, pick: int) -> None:
        name = self._one(pick)
        assert self.store.erase(name)
        del self.known[name]
        self.line = [each for each in self.line if each != name]

    @rule(time=st.integers(1, KEEP))
    def tidy(self, time: int) -> None:
        self.now += time
        assert self.desk.tidy() == []
        over = [n for n, kept in self.known.items() if kept[2] and kept[2] + KEEP <= self.now]
        for name in over:
            del self.known[name]

    @invariant()
    def rows_are_as_they_should_be(self) -> None:
        if hasattr(self, "known"):
            found = {job.id: [job.state, job.attempts, job.finished_us]
                     for job in self.store.newest()}  # fmt: skip
            kept = {name: each for name, each in self.known.items()
                    if not each[2] or each[2] + KEEP > self.now}  # fmt: skip
            assert found == kept
            assert [self.store.ahead(name) for name in self.line] == list(range(len(self.line)))

    @invariant()
    def files_are_those_of_unfinished_jobs(self) -> None:
        if hasattr(self, "known"):
            names = {path.name for path in (self.root / "jobs" / "uploads").iterdir()}
            wanted = {n for n, kept in self.known.items() if kept[0] in ("queued", "running")}
            assert names == wanted

    def _one(self, pick: int) -> str:
        if self.running is not None and pick % 2 and self.running.id in self.known:
            return self.running.id  # it is what may go wrong
        names = sorted(self.known)
        return names[pick % len(names)]

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.root)


TestJobs = Jobs.TestCase
TestJobs.settings = settings(
    max_examples=15,
    stateful_step_count=50,
    phases=[Phase.generate],  # to make a failure shorter takes minutes
)
