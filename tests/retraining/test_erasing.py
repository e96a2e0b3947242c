"""Media that were collected go with their requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.pruning import prune
from deepfake_lightning.retraining.erasing import (
    clear_closed,
    forget,
    gone,
    remove,
    requests_of,
    sweep,
)
from deepfake_lightning.retraining.record import Loops


def collected(production, *names: str) -> Path:
    loop = Loops(production.workspace).begin("production", "v1.0.0", "ada", {}, 1)
    folder = Loops(production.workspace).folder(loop.number)
    for name in names:
        for path in (folder / "media" / f"{name}.jpg", folder / f"cut/crops/requests/{name}/0.jpg"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"a face")
    return folder


def test_an_erased_request_takes_its_copies_with_it(production):
    stays, goes = production.reviewed(fake=True), production.reviewed(fake=True)
    folder = collected(production, stays, goes)
    assert sweep(production.workspace, production.log) == 0
    production.log.erase(goes)
    assert gone(production.log, requests_of(folder)) == {goes}
    assert sweep(production.workspace, production.log) == 1
    assert requests_of(folder) == {stays}
    assert {path.name for path in folder.rglob("*.jpg")} == {f"{stays}.jpg", "0.jpg"}


def test_a_link_that_a_kill_left_goes_too(production):
    goes = production.reviewed(fake=True)
    folder = collected(production)
    link = folder / "media" / f".{goes}.jpg"  # linked, and not renamed
    link.parent.mkdir()
    link.write_bytes(b"a face")
    (folder / "media" / ".notes.jpg").write_bytes(b"no request's")
    assert requests_of(folder) == {goes}
    production.log.erase(goes)
    assert sweep(production.workspace, production.log) == 1
    assert [path.name for path in (folder / "media").iterdir()] == [".notes.jpg"]
    link.write_bytes(b"a face")
    assert forget(production.workspace, goes) == 1
    assert not link.exists()


def test_what_is_pruned_is_not_erased_but_may_be(production):
    old = production.reviewed(fake=True)
    folder = collected(production, old)
    prune(production.log, before_us=2_000_000_000_000_000)
    assert sweep(production.workspace, production.log) == 0
    assert gone(production.log, [old]) == set()
    assert not production.log.erase(old)  # as a server does: there is no row, and it is noted
    assert sweep(production.workspace, production.log) == 1
    assert requests_of(folder) == set()


def test_another_log_erases_nothing(production, tmp_path):
    name = production.reviewed(fake=True)
    folder = collected(production, name)
    with PredictionLog(tmp_path / "other.db") as other:
        assert sweep(production.workspace, other) == 0
    assert requests_of(folder) == {name}
    assert forget(production.workspace, name) == 1
    assert requests_of(folder) == set()


@pytest.mark.parametrize(
    ("update", "stays"),
    [({"outcome": "done"}, True), ({"outcome": None}, True), ({"outcome": "refused"}, False),
     ({"outcome": "failed", "step": "train"}, False),
     ({"outcome": "failed", "step": "stage", "failures": 1}, True),
     ({"outcome": "failed", "step": "stage", "failures": 3}, False)],
)  # fmt: skip
def test_media_stay_with_loops_that_are_done_or_go_on(production, update, stays):
    folder = collected(production, production.reviewed(fake=True))
    loops = Loops(production.workspace)
    loops.keep(loops.latest("production").model_copy(update=update))
    clear_closed(production.workspace)
    assert bool(requests_of(folder)) == stays
    assert (folder / "loop.json").is_file()


def test_what_another_loop_started_from_stays(production):
    folder = collected(production, production.reviewed(fake=True))
    loops = Loops(production.workspace)
    update = {"outcome": "failed", "step": "stage", "version": "v1.1.0"}
    loops.keep(loops.latest("production").model_copy(update=update))
    loops.begin("production", "v1.1.0", "ada", {}, 2)  # somebody has deployed it by hand
    clear_closed(production.workspace)
    assert requests_of(folder)


def test_a_name_is_no_pattern(production):
    name = production.reviewed(fake=True)
    folder = collected(production, name)
    assert forget(production.workspace, "*") == 0
    assert remove(folder, [name[:-1]]) == 0
    assert requests_of(folder) == {name}
