"""Media that were collected go with their requests."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.monitoring.log.pruning import prune
from deepfake_lightning.retraining.erasing import forget, gone, remove, requests_of, sweep
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


def test_what_is_pruned_is_not_erased_but_may_be_forgotten(production):
    old = production.reviewed(fake=True)
    folder = collected(production, old)
    prune(production.log, before_us=2_000_000_000_000_000)
    assert sweep(production.workspace, production.log) == 0
    assert gone(production.log, [old]) == {old}  # what is not trained on yet, is not any more
    assert forget(production.workspace, old) == 1
    assert requests_of(folder) == set()


def test_a_name_is_no_pattern(production):
    name = production.reviewed(fake=True)
    folder = collected(production, name)
    assert forget(production.workspace, "*") == 0
    assert remove(folder, [name[:-1]]) == 0
    assert requests_of(folder) == {name}
