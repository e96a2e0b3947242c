"""The story of ``scripts/story.sh``: the whole runbook, with real commands and a real server."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.timeout(1800)  # for all of them: minutes, and more on a busy machine
COMMAND = re.compile(r"^\$ deepfake-lightning (.+?)(?: &)?$", re.MULTILINE)


@dataclass(frozen=True)
class Story:
    """What a story left.

    Attributes:
        place: its workspace.
        told: what it printed.
    """

    place: Path
    told: str

    def chapter(self, number: int) -> str:
        """Return what was printed in a chapter, counted from 1."""
        parts = re.split(r"^== \d+ ", self.told, flags=re.MULTILINE)
        return parts[number]

    def record(self, pattern: str) -> Any:
        """Return the one JSON file that a pattern finds in the workspace."""
        (found,) = self.place.glob(pattern)
        return json.loads(found.read_text())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return what the small story left."""
    place = tmp_path_factory.mktemp("story") / "mlops"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(ROOT / "scripts/story.sh"), "--smoke"], cwd=ROOT, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": path, "STORY": str(place), "COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return Story(place, done.stdout)


def test_each_chapter_has_its_time(story: Story) -> None:
    with (story.place / "times.tsv").open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert [int(chapter.split()[0]) for _, chapter in rows] == list(range(1, 13))
    assert sum(int(seconds) for seconds, _ in rows) > 10
    assert "Traceback" not in story.told


def test_quiet_traffic_is_quiet_and_a_new_forgery_is_not(story: Story) -> None:
    assert "production: 0 firing" in story.chapter(5)
    after = story.chapter(7)
    assert "drifting: " in after
    assert "production: 1 firing" in after
    assert "quality" in story.chapter(8)  # once people had said what it was


def test_the_new_version_knows_what_the_old_one_missed(story: Story) -> None:
    registration = story.record("registry/models/v1.1.0/registration.json")
    assert registration["parent"] == "v1.0.0"
    assert registration["reason"]
    steps = story.record("retraining/loops/*/loop.json")["steps"]
    assert (
        steps["evaluate"]["result"]["new"]["difference"] > 0.05
    )  # AUROC, on people not trained on


def test_production_is_back_where_it_was_and_the_history_says_how(story: Story) -> None:
    environment = story.record("deployment/config/production.json")
    assert [(one["version"], one["share"]) for one in environment["serving"]] == [("v1.0.0", 1.0)]
    lines = (story.place / "deployment/history.jsonl").read_text().splitlines()
    acts = [(one["environment"], one["event"]) for one in map(json.loads, lines)]
    assert [event for environment, event in acts if environment == "production"] == [
        "deploy", "abtest", "promote", "rollback",
    ]  # fmt: skip
    with sqlite3.connect(story.place / "monitoring/predictions.db") as log:
        rows = log.execute("SELECT version, http_status, count(*) FROM requests GROUP BY 1, 2")
        answered = {(version, status): count for version, status, count in rows}
    assert {version for version, _ in answered} == {"v1.0.0", "v1.1.0"}
    assert {status for _, status in answered} == {200}


def test_every_command_of_the_runbook_is_run(story: Story) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## The runbook\n")[1].split("\n## ")[0]
    cells = [row.split("|")[2] for row in section.splitlines() if row.startswith("| ")][1:]
    wanted = [shlex.split(text) for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    told = [shlex.split(line) for line in COMMAND.findall(story.told)]
    assert len(wanted) > 12
    for words in wanted:
        assert any(_does(line, words) for line in told), " ".join(words)


def _does(line: list[str], words: list[str]) -> bool:
    """Return whether a command line is another's, but for versions, files and more flags."""
    verb = [word for word in words[:2] if word.isalpha()]
    flags = {word for word in words if word.startswith("--")}
    environments = {word for word in words if word in ("staging", "production")}
    return line[: len(verb)] == verb and (flags | environments) <= set(line)
