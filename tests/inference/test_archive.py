"""An archive is scored whole, whatever interrupts it, and one item costs no other."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.errors import BundleError, StorageError, TableError, UsageError
from deepfake_lightning.inference.archive import Tally, score_archive
from deepfake_lightning.inference.items import Archive, read_inputs
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.metrics import item_scores
from deepfake_lightning.schemas import read_predictions

SUFFIXES = ("csv", "parquet", "json")


def score(bundle: Path, inputs: Path, out: Path | None = None, **options: Any) -> Tally:
    archive = Archive(read_inputs([str(inputs)]), options.pop("already_cropped", None))
    return score_archive(archive, EngineSource(bundle), out, **{"workers": 2, **options})


def drawn(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def bundle(crop_bundle: Any) -> Path:
    return Path(crop_bundle.folder)


@pytest.fixture(scope="module")
def archive(make_faces: Callable[..., Path], portrait_clips: Path, tmp_path_factory: Any) -> Path:
    """Return real and fake pictures and clips, one of them broken. Read it only."""
    root = make_faces(tmp_path_factory.mktemp("archive") / "set", people=12)
    for name in ("real/p0.mp4", "fake/two.mp4", "real/none.mp4", "real/broken.mp4"):
        shutil.copy(portrait_clips / name, root / name)
    return root


@pytest.fixture(scope="module")
def scored(bundle: Path, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the table in every format, and the pictures. Read it only."""
    place = tmp_path_factory.mktemp("scored")
    for suffix in SUFFIXES:
        score(bundle, archive, place / f"a.{suffix}", workers=1, overlays=place / "drawn")
    return place


def test_every_item_is_a_row_or_more(scored: Path) -> None:
    rows = read_predictions(scored / "a.csv")
    items = rows.drop_duplicates("video_id")
    assert items["status"].value_counts().to_dict() == {"ok": 26, "no_face": 1, "unreadable": 1}
    assert items["path"].tolist() == sorted(items["path"])
    assert rows["label"].tolist() == ["fake/" in path for path in rows["path"]]
    without = rows[rows["status"] != "ok"].set_index("path")["reason"]
    assert without["real/none.mp4"] == "no face was found"
    assert "is not a video" in without["real/broken.mp4"]
    two = rows[rows["path"] == "fake/two.mp4"]
    assert set(two["track_id"]) == {0, 1}
    assert two["box"].notna().all() and two["timestamp_ms"].notna().all()
    for suffix in SUFFIXES[1:]:
        assert read_predictions(scored / f"a.{suffix}").equals(rows)


def test_every_score_has_its_picture_and_nothing_else_is_left(scored: Path) -> None:
    assert len(drawn(scored / "drawn")) == 26
    tables = [f"a{kind}.{suffix}" for kind in ("", ".items") for suffix in SUFFIXES]
    assert sorted(path.name for path in scored.iterdir()) == sorted([*tables, "drawn"])


def test_every_item_is_a_row_of_the_items_table(scored: Path) -> None:
    items = pd.read_csv(scored / "a.items.csv")
    assert len(items) == 28
    assert items["status"].value_counts().to_dict() == {"ok": 26, "no_face": 1, "unreadable": 1}
    faces = read_predictions(scored / "a.csv")
    for record in items[items["status"] == "ok"].to_dict("records"):
        own = faces[faces["video_id"] == record["video_id"]]
        assert len(own) == record["faces"]
        assert record["score"] == pytest.approx(1 / (1 + np.exp(-record["logit"])))
        keys = own[["track_id", "frame"]].fillna(-1).to_numpy(int).T
        _, found = item_scores(own["logit"].to_numpy(float), np.zeros(len(own), int), *keys)
        assert record["logit"] == pytest.approx(found[0])
    clips = items[items["media_type"] == "video"].set_index("item")
    assert clips["frames_examined"].dropna().gt(0).all()
    assert items["bundle"].nunique() == 1 and items["verdict"].isna().sum() == 26


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_bytes_do_not_depend_on_the_number_of_workers(
    bundle: Path, archive: Path, scored: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"b.{suffix}"
    tally = score(bundle, archive, out, workers=2)
    assert out.read_bytes() == (scored / f"a.{suffix}").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {out.name, f"b.items.{suffix}"}
    items = (tmp_path / f"b.items.{suffix}").read_bytes()
    assert items == (scored / f"a.items.{suffix}").read_bytes()
    assert (len(tally), tally.statuses["ok"], tally.done_before) == (28, 26, 0)


def test_without_a_table_the_tally_is_the_same(bundle: Path, archive: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    plain = score(bundle, archive, shown=5, progress=lambda found: seen.append(found.name))
    written = score(bundle, archive, tmp_path / "a.csv", shown=5)
    assert sorted(seen) == sorted(item.name for item in Archive(read_inputs([str(archive)])))
    assert plain.statuses == written.statuses and plain.verdicts == written.verdicts
    scores = [record["score"] for record in plain.top]
    assert scores == [record["score"] for record in written.top] == sorted(scores, reverse=True)
    assert len(scores) == 5
    assert {r["name"] for r in plain.failures} == {r["name"] for r in written.failures}


_CHILD = """
import sys
from pathlib import Path
from deepfake_lightning.inference.archive import score_archive
from deepfake_lightning.inference.items import Archive, read_inputs
from deepfake_lightning.inference.opening import EngineSource

def tell(found):  # what cannot be read is tried again
    if found is not None and found.status != "unreadable":
        print("done", flush=True)

if __name__ == "__main__":
    bundle, archive, out, drawn = map(Path, sys.argv[1:])
    score_archive(Archive(read_inputs([str(archive)])), EngineSource(bundle), out, workers=2,
                  overlays=drawn, progress=tell)
"""


def start(bundle: Path, archive: Path, out: Path) -> subprocess.Popen[str]:
    script = out.parent / "child.py"
    script.write_text(_CHILD)
    command = [sys.executable, script, bundle, archive, out, out.parent / "drawn"]
    return subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def children(process: subprocess.Popen[str]) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == process.pid:
            found.append(int(path.parent.name))
    return found


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a scoring, and see that its processes end."""
    below = children(process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in below):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def check_whole(place: Path, out: Path, scored: Path) -> None:
    assert out.read_bytes() == (scored / "a.csv").read_bytes()
    assert drawn(place / "drawn") == drawn(scored / "drawn")
    assert {path.name for path in place.iterdir()} - {"child.py"} == {
        "a.csv",
        "a.items.csv",
        "drawn",
    }


def test_killed_it_goes_on_to_the_same_bytes(
    bundle: Path, archive: Path, scored: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.csv"
    process = start(bundle, archive, out)
    assert process.stdout is not None
    done = sum(bool(process.stdout.readline()) for _ in range(6))
    kill(process)
    assert not out.exists()
    tally = score(bundle, archive, out, overlays=tmp_path / "drawn")
    assert done <= tally.done_before < 28  # nothing that was done is done again
    assert len(tally) == 28
    check_whole(tmp_path, out, scored)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times_at_random_moments(
    bundle: Path, archive: Path, scored: Path, tmp_path: Path
) -> None:
    out, generator = tmp_path / "a.csv", np.random.default_rng(int(os.environ.get("SEED", "1")))
    before = 0
    for _ in range(20):
        process = start(bundle, archive, out)
        time.sleep(float(generator.uniform(0.5, 4.0)))
        kill(process)
        if out.exists():  # it came to its end: again
            check_whole(tmp_path, out, scored)
            shutil.rmtree(tmp_path / "drawn")
            out.unlink()
            before = 0
        elif (lines := tmp_path / "a.csv.partial/items.jsonl").exists():
            done = lines.read_bytes().count(b"\n")
            assert done >= before
            before = done
    score(bundle, archive, out, overlays=tmp_path / "drawn")
    check_whole(tmp_path, out, scored)


def test_what_killed_processes_were_drawing_is_removed(
    bundle: Path, archive: Path, scored: Path, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path / "drawn", tmp_path / "drawn/deep"):
        folder.mkdir(exist_ok=True)
        left = folder / ".a.csv.x1y2z3.unfinished"
        left.write_text("half")
        os.utime(left, (0, 0))
    score(bundle, archive, tmp_path / "a.csv", overlays=tmp_path / "drawn")
    (tmp_path / "drawn/deep").rmdir()
    check_whole(tmp_path, tmp_path / "a.csv", scored)


@pytest.fixture
def half_done(bundle: Path, archive: Path, tmp_path: Path) -> Path:
    """Return a table to be, of which some items are scored."""
    out = tmp_path / "a.csv"

    class Stop(Exception):
        pass

    def stop(found: object) -> None:
        seen.append(found)
        if len(seen) == 6:
            raise Stop

    seen: list[object] = []
    with pytest.raises(Stop):
        score(bundle, archive, out, progress=stop)
    return out


def test_a_changed_file_is_scored_again(
    bundle: Path, tmp_path: Path, make_faces: Callable[..., Path], write_picture: Any
) -> None:
    faces, out = make_faces(tmp_path / "set", people=3), tmp_path / "a.csv"

    done: list[str] = []  # two may be under way, and the second be done first

    def stop(found: Any) -> None:
        done.append(found.name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(bundle, faces, out, workers=1, progress=stop)
    write_picture(faces / done[0], seed=77)
    assert score(bundle, faces, out).done_before == 0
    fresh = tmp_path / "fresh.csv"
    score(bundle, faces, fresh)
    assert out.read_bytes() == fresh.read_bytes()


def test_pictures_that_are_asked_for_later_are_drawn(
    bundle: Path, archive: Path, scored: Path, half_done: Path
) -> None:
    score(bundle, archive, half_done, overlays=half_done.parent / "drawn")
    check_whole(half_done.parent, half_done, scored)


def test_what_is_half_done_goes_with_other_inputs(
    bundle: Path, archive: Path, half_done: Path
) -> None:
    """The items that are named are in the table, whatever else was scored before."""
    score(bundle, archive / "real/person1.jpg", half_done)
    assert read_predictions(half_done)["path"].tolist() == [str(archive / "real/person1.jpg")]


def test_scores_of_other_settings_are_not_mixed(
    bundle: Path, frame_bundle: Any, archive: Path, half_done: Path
) -> None:
    with pytest.raises(UsageError, match=r"detector .* -> "):
        score(frame_bundle.folder, archive, half_done)
    with pytest.raises(UsageError, match="already_cropped None -> False"):
        score(bundle, archive, half_done, already_cropped=False)
    assert (half_done.parent / "a.csv.partial/items.jsonl").stat().st_size > 1000


def test_verdicts_of_two_calibrations_are_not_mixed(
    calib_checkpoint: Path, write_picture: Any, tmp_path: Path
) -> None:
    """A checkpoint may be calibrated while the scores of a stopped run wait to be gone on with."""
    from deepfake_lightning.bundle.calibrating import calibrate

    def stop(found: object) -> None:
        raise KeyboardInterrupt

    def begin() -> None:
        source = EngineSource(checkpoint=calib_checkpoint)
        inputs = Archive(read_inputs([picture]), True)  # one, which this process scores itself
        score_archive(inputs, source, tmp_path / "a.csv", progress=stop)

    picture = str(write_picture(tmp_path / "a.jpg"))
    for error in (KeyboardInterrupt, KeyboardInterrupt):  # it goes on
        with pytest.raises(error):
            begin()
    calibrate(calib_checkpoint)
    with pytest.raises(UsageError, match=r"calibration .* -> "):
        begin()


def test_a_table_that_exists_stays(bundle: Path, archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        score(bundle, archive, out)
    assert out.read_text() == "mine"
    score(bundle, archive, out, overwrite=True)
    assert len(read_predictions(out)) > 28
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "a.items.csv"}


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("a.xlsx", {}, TableError),
        ("a", {}, TableError),
        ("a.csv", {"workers": 0}, UsageError),
        ("a.csv", {"timeout": 0.0}, UsageError),
        ("a.csv", {"timeout": float("nan")}, UsageError),
        ("a.txt/a.csv", {}, StorageError),
    ],
)
def test_mistakes_are_found_before_anything_is_scored(
    bundle: Path, archive: Path, tmp_path: Path, name: str, options: Any, error: Any
) -> None:
    (tmp_path / "a.txt").touch()
    seen: list[object] = []
    with pytest.raises(error):
        score(
            bundle,
            archive,
            tmp_path / name,
            progress=seen.append,
            phase=lambda what, number: seen.append(what),
            **options,
        )
    assert seen == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.slow
def test_two_processes_do_not_write_one_table(
    bundle: Path, archive: Path, scored: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.csv"
    process = start(bundle, archive, out)
    assert process.stdout is not None and process.stdout.readline() == "done\n"
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StorageError, match="another process"):
            score(bundle, archive, out)
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60)[1] == ""
    check_whole(tmp_path, out, scored)


_FAULTY = """
import os, signal, time
from deepfake_lightning.inference.worker import assess_item

def faulty(job):
    name = job.item.name.rpartition("/")[2]
    if name == "person0.jpg":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "person1.jpg":
        os._exit(7)
    if name == "person2.jpg":
        time.sleep(60)
    if name == "person3.jpg":
        return 1 / 0
    return assess_item(job)
"""


def test_an_item_that_crashes_or_hangs_costs_itself(
    bundle: Path, tmp_path: Path, make_faces: Callable[..., Path], monkeypatch: Any
) -> None:
    faces = make_faces(tmp_path / "set", people=8)
    for person in range(4):
        (faces / f"fake/person{person}.jpg").unlink()
    (tmp_path / "faulty_scoring.py").write_text(_FAULTY)  # where the processes find it
    monkeypatch.syspath_prepend(tmp_path)
    faulty = importlib.import_module("faulty_scoring").faulty
    monkeypatch.setattr("deepfake_lightning.inference.archive.assess_item", faulty)
    tally = score(bundle, faces, tmp_path / "a.csv", timeout=3.0)
    assert tally.statuses == {"ok": 8, "unreadable": 4}
    rows = read_predictions(tmp_path / "a.csv").set_index("path")
    reasons = rows.loc[rows["status"] == "unreadable", "reason"]
    assert sorted(reasons.index) == [f"real/person{person}.jpg" for person in range(4)]
    assert "crashes its decoder" in reasons["real/person0.jpg"]
    assert "crashes its decoder" in reasons["real/person1.jpg"]
    assert "longer than 3 s" in reasons["real/person2.jpg"]
    assert "ZeroDivisionError" in reasons["real/person3.jpg"]
    assert rows.loc["real/person3.jpg", "label"] == 0


def test_a_single_item_that_fails_oddly_is_a_row_as_well(
    bundle: Path, tmp_path: Path, write_picture: Any, monkeypatch: Any
) -> None:
    def fail(job: object) -> None:
        raise MemoryError("of a library")

    monkeypatch.setattr("deepfake_lightning.inference.archive.assess_item", fail)
    tally = score(bundle, write_picture(tmp_path / "a.jpg"), workers=None)
    assert "MemoryError: of a library" in tally.failures[0]["reason"]


def test_a_bundle_that_is_replaced_on_the_way_ends_it(
    crop_bundle: Any, frame_bundle: Any, archive: Path, tmp_path: Path
) -> None:
    bundle, out = tmp_path / "bundle", tmp_path / "a.csv"
    shutil.copytree(crop_bundle.folder, bundle)

    def replace(what: str, number: int) -> None:
        shutil.rmtree(bundle)
        shutil.copytree(frame_bundle.folder, bundle)

    with pytest.raises(BundleError, match="is not the bundle it was"):
        score(bundle, archive, out, phase=replace)
    assert not out.exists()


@pytest.mark.slow
def test_a_full_disk_leaves_what_to_go_on_from(
    bundle: Path, archive: Path, scored: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "a.csv"
    args = ["predict", str(archive), "--bundle", str(bundle), "--out", str(out), "--workers", "2"]
    full = subprocess.run(
        [sys.executable, "-m", "deepfake_lightning", *args],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # Python keeps a module that is cut off
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000)),
    )  # fmt: skip
    assert full.returncode == 1, full.stderr
    assert "items.jsonl could not be written: File too large" in full.stderr
    assert "Traceback" not in full.stderr
    assert not out.exists()
    assert main(args) == 3
    assert "items were scored before" in capsys.readouterr().out
    assert out.read_bytes() == (scored / "a.csv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "a.items.csv"}


def test_lines_of_the_record_say_what_was_found(half_done: Path) -> None:
    lines = (half_done.parent / "a.csv.partial/items.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 6
    assert {"name", "status", "logit", "verdict", "meaning", "faces", "stamp"} <= set(records[0])


def test_an_items_table_that_exists_stays(bundle: Path, archive: Path, tmp_path: Path) -> None:
    mine = tmp_path / "a.items.csv"
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"a\.items\.csv exists already"):
        score(bundle, archive, tmp_path / "a.csv")
    assert mine.read_text() == "mine" and [*tmp_path.iterdir()] == [mine]


def test_a_single_clip_has_its_time_limit_too(bundle: Path, portrait_clips: Path) -> None:
    tally = score(bundle, portrait_clips / "real/p0.mp4", workers=None, timeout=0.01)
    assert tally.statuses == {"unreadable": 1}
    assert "takes longer than 0.01 s" in tally.failures[0]["reason"]
