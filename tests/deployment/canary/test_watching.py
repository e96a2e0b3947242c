"""A canary that is watched; minutes pass when the watch sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from deepfake_lightning.deployment.canary import abort, watch
from deepfake_lightning.errors import StorageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.signing import sign_version

GOOD = {"v1.0.0": 40, "v1.1.0": 20}


@dataclass
class Told:
    """What a watch said, each decision once."""

    decisions: list = field(default_factory=list)

    def __call__(self, decision, left):
        assert 0 <= left <= 66
        if self.decisions[-1:] != [decision]:
            self.decisions.append(decision)

    @property
    def verdicts(self):
        return [one.verdict for one in self.decisions]


@pytest.fixture
def place(workspace, log):
    return workspace.monitoring / "predictions.db"


def test_it_goes_on_until_the_canary_ends(begun, place, answer, clock, taken, monkeypatch):
    monkeypatch.setattr(type(begun), "wait_taken", lambda self, change, _=0: taken(self) or True)
    told = Told()

    def sleep(seconds):
        if seconds == 1.0:  # between two looks at what others do: let the minute go by
            answer(GOOD)

    last = watch(begun, place, tell=told, clock=clock, sleep=sleep)
    assert (last.verdict, last.end) == ("done", "done")
    assert [one for one in told.verdicts if one != "hold"] == ["advance", "advance", "done"]
    assert told.decisions[0].verdict == "hold"


def test_it_notices_at_once_that_somebody_ended_it(begun, place, clock):
    told = Told()

    def sleep(seconds):
        clock.pass_minutes(seconds / 60)
        if len(told.decisions) == 1 and begun.record().experiment:
            abort(begun, "the newsroom complains", by="ada", wait_seconds=0)

    began = clock()
    last = watch(begun, place, tell=told, clock=clock, sleep=sleep)
    assert (last.verdict, last.end) == ("ended", "other")
    assert (clock() - began).total_seconds() < 3


def test_a_champion_without_a_signature_does_not_end_the_watch(
    begun, place, answer, clock, caplog, make_key, ask_signed
):
    private, public = make_key("ada")
    ask_signed(begun.workspace, public)  # in the middle of a canary
    slept = []

    def sleep(seconds):
        if seconds == 1.0:
            answer(GOOD, bad={"v1.1.0": 15})
            return
        slept.append(seconds)
        clock.pass_minutes(1)
        if len(slept) == 2:
            sign_version(Registry(begun.workspace), "v1.0.0", private)

    last = watch(begun, place, tell=Told(), clock=clock, sleep=sleep)
    assert (last.verdict, begun.record().versions) == ("roll_back", ("v1.0.0",))
    said = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert len(said) == 2 and all("v1.0.0 is not signed" in one for one in said)
    assert "registry sign v1.0.0" in said[0]


def test_a_log_that_is_away_is_tried_again_and_then_said(begun, tmp_path, clock, caplog):
    broken = tmp_path / "broken.db"
    broken.write_text("no database " * 100)
    slept = []
    with pytest.raises(StorageError):
        watch(begun, broken, tell=Told(), clock=clock, sleep=slept.append)
    assert slept == [60.0] * 4
    assert "trying again in a minute" in caplog.text
    assert begun.record().experiment  # the canary stays at its step
