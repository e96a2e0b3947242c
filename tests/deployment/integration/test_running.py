"""Versions in real servers of their own: a good one, such that are broken, and what interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepfake_lightning.bundle.load import ONNX
from deepfake_lightning.deployment.integration import IntegrationPlan, run_integration_tests
from deepfake_lightning.deployment.integration.throwaway import PREFIX, throwaway_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ALL = ["ready", "takeover", "answers", "back", "strays", "latency", "slower", "memory", "growth",
       "golden", "known", "bad_uploads", "stop"]  # fmt: skip
# Other work on the machine decides about times, so only the tests of limits have tight ones.
WIDE = {"requests": 40, "concurrency": 2, "p95_ms": 20_000.0, "slower": 100.0,
        "back_seconds": 60.0, "takeover_seconds": 200.0, "ready_seconds": 200.0,
        "stop_seconds": 120.0}  # fmt: skip


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Return a folder that stands for the system's; in the end nothing is left in it."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.glob(f"{PREFIX}*")) == []
    assert processes_of(folder) == []


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the living processes that name a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder / PREFIX) in line:
            found.append(line)
    return found


def run(workspace, candidate, champion=None, **plan):
    said = []
    report = run_integration_tests(
        workspace, candidate, champion, IntegrationPlan(**{**WIDE, **plan}),
        progress=lambda what, done: said.append((what, done)),
    )  # fmt: skip
    assert [done for _, done in said] == sorted(done for _, done in said)
    assert said[-1] == ("done", 1.0)
    json.dumps(report.to_dict(), allow_nan=False)
    return report, {check.name: check for check in report.checks}


def failed(report):
    return [check.name for check in report.failures]


def test_a_good_version_passes_beside_the_one_that_serves(workspace):
    before = sorted(path for path in workspace.root.rglob("*"))
    report, found = run(workspace, "v1.1.0", "v1.0.0")
    assert failed(report) == []
    assert report.passed and list(found) == ALL and report.not_run == ()
    assert [load.version for load in report.loads] == ["v1.1.0", "v1.0.0"]
    assert found["answers"].value == found["strays"].value == found["bad_uploads"].value == 0
    assert 50 < found["memory"].value < 2000
    assert found["golden"].value < 1e-3
    assert sorted(workspace.root.rglob("*")) == before  # what serves, and the registry, as before


def test_the_first_version_of_all_is_tested_alone(workspace):
    report, found = run(workspace, "v1.0.0", "v1.0.0")  # the same again is no champion either
    assert report.passed, failed(report)
    assert report.champion is None
    assert list(found) == [
        one for one in ALL if one not in {"takeover", "back", "strays", "slower"}
    ]


def test_a_version_whose_golden_pictures_score_otherwise_is_refused_by_the_server(
    workspace, other_golden
):
    report, found = run(workspace, other_golden, "v1.0.0")
    assert failed(report) == ["takeover"]
    assert "the server refuses v3.0.0" in found["takeover"].says
    assert "has to give a logit of" in found["takeover"].says
    assert report.not_run == ("golden", "known", "bad_uploads", "stop") and not report.passed
    assert found["answers"].passed  # the one that served went on
    alone, found = run(workspace, other_golden)
    assert failed(alone) == ["ready"]
    assert "golden/0_drawn.png has to give a logit of" in found["ready"].says
    assert alone.not_run == ("load", "golden", "known", "bad_uploads", "stop")


def test_a_version_whose_network_does_not_open(workspace, add_version):
    version = add_version("v3.2.0", ONNX, lambda data: data[: len(data) // 2])
    report, found = run(workspace, version)
    assert failed(report) == ["ready"]
    assert "model.onnx" in found["ready"].says


def test_a_champion_that_does_not_come_up_is_no_reason_to_keep_it(workspace, other_golden):
    report, found = run(workspace, "v1.1.0", other_golden)
    assert report.passed, failed(report)
    assert report.champion is None and "slower" not in found
    assert report.notes[0].startswith("v3.0.0, which serves now, is not compared with: a server")


def test_a_slow_version_is_slower_than_the_champion_and_over_its_budget(workspace, slow):
    report, found = run(workspace, slow, "v1.0.0", slower=1.5, p95_ms=20.0)
    assert failed(report) == ["latency", "slower"]
    assert found["slower"].value > 2
    assert found["slower"].says.startswith("v3.1.0 takes ")
    assert report.not_run == ()  # all else was tested


def test_budgets_of_nothing_are_not_kept(workspace):
    report, _ = run(workspace, "v1.0.0", memory_mb=0.0, p95_ms=0.0)
    assert failed(report) == ["latency", "memory"]


def test_a_server_that_cannot_start_gives_its_last_words(workspace):
    report, found = run(workspace, "v1.0.0", device="abacus")
    assert failed(report) == ["ready"]
    assert "abacus" in found["ready"].says


def test_tests_that_take_too_long_are_ended(workspace):
    report, _ = run(workspace, "v1.1.0", "v1.0.0", requests=1_000_000, seconds=40.0)
    assert not report.passed
    assert report.seconds < 60
    assert "longer than they may" in report.failures[0].says


def _start_tester(workspace, until):
    """Start the tests in a process of their own; return it once it says what it is at."""
    tester = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("tester.py")), str(workspace.root),
         "v1.1.0", "v1.0.0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        env=dict(os.environ),
    )  # fmt: skip
    for line in tester.stdout:
        if until in line:
            return tester
    raise AssertionError(f"it never came to {until!r}")


@pytest.mark.parametrize("until", ["starting a server", "v1.1.0 under load", "bad uploads"])
def test_ctrl_c_leaves_no_process_and_no_folder(workspace, temporary, until):
    tester = _start_tester(workspace, until)
    time.sleep(0.5)
    assert processes_of(temporary) != []
    tester.send_signal(signal.SIGINT)
    assert tester.wait(30) == -signal.SIGINT
    assert processes_of(temporary) == []
    assert list(temporary.glob(f"{PREFIX}*")) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_a_tester_that_is_killed_and_the_next_one_cleans_up(
    workspace, temporary, number
):
    tester = _start_tester(workspace, "v1.1.0 under load")
    tester.send_signal(number)
    assert tester.wait(30) == -number
    end = time.monotonic() + 30
    while processes_of(temporary):
        assert time.monotonic() < end, processes_of(temporary)
        time.sleep(0.05)
    assert len(list(temporary.glob(f"{PREFIX}*"))) == 1
    with throwaway_workspace(workspace):  # as the next tests begin
        assert len(list(temporary.glob(f"{PREFIX}*"))) == 1
