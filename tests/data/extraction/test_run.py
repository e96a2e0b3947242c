"""Extraction as a whole: what it leaves, whatever interrupts it."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.data.extraction import Summary, extract, list_sources
from deepfake_lightning.data.extraction.journal import Journal
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.media import read_image
from deepfake_lightning.schemas import Extraction, FaceSearch, read_manifest, write_manifest
from deepfake_lightning.storage import lock

SETTINGS = Extraction(sampling="even:4", size=64)


def run(clips: Path, out: Path, settings: Extraction = SETTINGS, **options: Any) -> Summary:
    options = {"workers": 2, **options}
    return extract(list_sources([clips]), [clips], out, settings, **options)


def content(folder: Path) -> dict[str, str]:
    """Return the digest of every file but the locks, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.fixture(scope="module")
def extracted(portrait_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the pictures of all clips. Read them only."""
    out = tmp_path_factory.mktemp("pictures") / "out"
    run(portrait_clips, out)
    return out


def test_every_clip_is_a_row_or_more(extracted: Path) -> None:
    manifest = read_manifest(extracted / "manifest.parquet")
    rows = manifest.rows
    assert rows["video_id"].nunique() == 23
    statuses = rows.drop_duplicates("video_id")["status"].fillna("ok").value_counts().to_dict()
    assert statuses == {"ok": 21, "no_face": 1, "unreadable": 1}
    assert set(rows.loc[rows["status"] == "no_face", "video_id"]) == {"clips/real/none"}
    usable = rows[manifest.usable()]
    assert set(usable["media_type"]) == {"image"}
    assert usable["label"].tolist() == ["/fake/" in path for path in usable["path"]]
    assert manifest.extraction == SETTINGS


def test_pictures_are_faces_with_their_place(extracted: Path) -> None:
    manifest = read_manifest(extracted / "manifest.parquet")
    usable = manifest.rows[manifest.usable()]
    for record in usable.to_dict("records"):
        assert read_image(extracted / record["path"]).shape == (64, 64, 3)
        x, y, width, height = map(float, record["box"].split(","))
        assert 0 <= x < 256 and 0 <= y < 144 and 30 < width < 110 and 40 < height < 130
        assert len(record["landmarks"].split(",")) == 10
        assert 0.5 < record["face_score"] <= 1
        assert record["timestamp_ms"] == pytest.approx(1000 * record["frame"] / 12, abs=2)
    one = usable[usable["video_id"] == "clips/real/p0"]
    assert one["frame"].tolist() == [1, 4, 7, 10]
    assert set(one["track_id"]) == {0}
    two = usable[usable["video_id"] == "clips/fake/two"]
    assert two.groupby("track_id").size().to_dict() == {0: 4, 1: 4}


def test_real_and_fake_pictures_are_made_alike(extracted: Path) -> None:
    """The quantisation tables and the size of the files tell nothing of the class."""
    from PIL import Image

    made = set()
    for path in extracted.rglob("*.jpg"):
        with Image.open(path) as image:
            made.add((image.size, image.mode, str(image.quantization)))  # type: ignore[attr-defined]
    assert len(made) == 1


def test_the_bytes_do_not_depend_on_the_number_of_workers(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    run(portrait_clips, tmp_path / "one", workers=1)
    assert content(tmp_path / "one") == content(extracted)


def test_shards_in_any_order_come_to_the_same(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for shard in ("3/3", "1/3"):
        summary = run(portrait_clips, out, shard=shard)
        assert summary.manifest is None
        assert summary.missing > 0
        assert not (out / "manifest.parquet").exists()
    assert run(portrait_clips, out, shard="2/3").manifest is not None
    assert content(out) == content(extracted)


def test_again_does_nothing(portrait_clips: Path, extracted: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in extracted.rglob("*.jpg")}
    whole = content(extracted)
    summary = run(portrait_clips, extracted)
    assert summary.done_now == 1  # what could not be read is tried again
    assert content(extracted) == whole
    assert {p: p.stat().st_mtime_ns for p in extracted.rglob("*.jpg")} == before


def test_changed_removed_and_lost_ones_are_done_again(
    portrait_clips: Path, tmp_path: Path, make_portrait_clip: Any
) -> None:
    clips, out = tmp_path / "set", tmp_path / "out"
    for name in ("real/p0.mp4", "real/p1.mp4", "fake/p2.mp4", "fake/p3.mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, clips / name)
    run(clips, out)
    make_portrait_clip(clips / "real/p0.mp4", frames=24, seed=9)
    (clips / "real/p1.mp4").unlink()
    shutil.rmtree(out / "crops/set/fake/p2.mp4")
    (out / "crops/set/fake/p3.mp4" / "f000001_t0.jpg").unlink()
    summary = run(clips, out)
    assert (summary.done_now, summary.gone) == (3, 1)
    rows = read_manifest(out / "manifest.parquet").rows
    assert sorted(rows["video_id"].unique()) == ["set/fake/p2", "set/fake/p3", "set/real/p0"]
    assert rows.loc[rows["video_id"] == "set/real/p0", "frame"].tolist() == [3, 9, 15, 21]
    # A disk may be missing for an hour: what was taken from it is kept until it is asked away.
    assert (out / "crops/set/real/p1.mp4").exists()
    assert run(clips, out, prune=True).gone == 1
    assert not (out / "crops/set/real/p1.mp4").exists()
    fresh = tmp_path / "fresh"
    run(clips, fresh)
    assert content(out) == content(fresh)


def test_a_file_that_comes_back_is_not_done_again(portrait_clips: Path, tmp_path: Path) -> None:
    clips, out, away = tmp_path / "set", tmp_path / "out", tmp_path / "away.mp4"
    for name in ("real/p0.mp4", "fake/p1.mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, clips / name)
    run(clips, out)
    whole = content(out)
    (clips / "real/p0.mp4").rename(away)
    assert run(clips, out).gone == 1
    away.rename(clips / "real/p0.mp4")
    assert run(clips, out).done_now == 0
    assert content(out) == whole


def test_a_changed_file_of_another_shard_is_missing(
    portrait_clips: Path, tmp_path: Path, make_portrait_clip: Any
) -> None:
    clips, out = tmp_path / "set", tmp_path / "out"
    for name in ("fake/p0.mp4", "real/p1.mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, clips / name)
    run(clips, out, shard="1/2")
    run(clips, out, shard="2/2")
    make_portrait_clip(clips / "real/p1.mp4", frames=24, seed=9)
    first = run(clips, out, shard="1/2")
    assert (first.missing, first.manifest) == (1, None)
    second = run(clips, out, shard="2/2")
    assert second.manifest is not None
    frames = second.manifest.rows.set_index("video_id").loc["set/real/p1", "frame"]
    assert frames.tolist() == [3, 9, 15, 21]


def test_the_manifest_is_left_to_a_shard_that_is_still_at_work(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(portrait_clips, out)
    with lock(out / ".extraction/shard-2-of-2"):
        other = Journal(out, SETTINGS, "2/2")
        other.open([portrait_clips])
        summary = run(portrait_clips, out, shard="1/2")
        assert summary.manifest is None
        assert other.path.exists()
        other.close()
    assert run(portrait_clips, out, shard="2/2").manifest is not None
    assert content(out) == content(extracted)


def test_the_newest_journal_counts(
    portrait_clips: Path, tmp_path: Path, make_portrait_clip: Any
) -> None:
    """Begun in shards, gone on with in one, with a clip that was mended in between."""
    clips, out = tmp_path / "set", tmp_path / "out"
    for name in ("fake/p0.mp4", "real/p1.mp4", "real/p2.mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, clips / name)
    run(clips, out, shard="1/2")
    make_portrait_clip(clips / "fake/p0.mp4", frames=24, seed=9)
    assert run(clips, out).manifest is not None
    assert run(clips, out).done_now == 0


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": -1}, {"timeout": 0.0}])
def test_numbers_that_cannot_work(
    portrait_clips: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        run(portrait_clips, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_disk_that_refuses_is_a_typed_error(portrait_clips: Path) -> None:
    with pytest.raises(StorageError, match="/proc/nowhere"):
        run(portrait_clips, Path("/proc/nowhere/out"))


_CHILD = """
import sys
from pathlib import Path
from deepfake_lightning.data.extraction import extract, list_sources
from deepfake_lightning.schemas import Extraction

if __name__ == "__main__":
    clips, out = map(Path, sys.argv[1:])
    extract(list_sources([clips]), [clips], out, Extraction(sampling="even:4", size=64), workers=2,
            progress=lambda outcome: print("done", flush=True))
"""


def _start(clips: Path, out: Path) -> subprocess.Popen[str]:
    script = out.parent / "child.py"
    script.write_text(_CHILD)
    command = [sys.executable, str(script), str(clips), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes below a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == process.pid:
            found.append(int(path.parent.name))
    return found


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_bytes(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    out, generator = tmp_path / "out", np.random.default_rng(0)
    for _ in range(2):
        process = _start(portrait_clips, out)
        assert process.stdout is not None
        for _ in range(int(generator.integers(1, 7))):
            process.stdout.readline()
        below = _workers(process)
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in below):  # none is left behind
            assert time.monotonic() < deadline
            time.sleep(0.1)
    done = len(json_lines(out / ".extraction/shard-1-of-1.jsonl"))
    assert 0 < done < 23
    summary = run(portrait_clips, out)
    assert summary.done_now <= 23 - done + 1  # nothing is done twice, but what failed
    assert content(out) == content(extracted)


def json_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_torn_journal_loses_one_line(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(portrait_clips, out, shard="1/2")
    journal = out / ".extraction/shard-1-of-2.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    (out / ".extraction/shard-1-of-2/half").mkdir(parents=True)
    assert run(portrait_clips, out).done_now == 23 - 12 + 1
    assert content(out) == content(extracted)


def test_a_worker_that_dies_or_hangs_costs_one_file(
    portrait_clips: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    clips = tmp_path / "set"
    for name in ("real/p0.mp4", "real/p1.mp4", "real/p2.mp4", "fake/p3.mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, clips / name)
    (tmp_path / "faulty_worker.py").write_text(_FAULTY)  # where the processes find it
    monkeypatch.syspath_prepend(tmp_path)
    faulty = importlib.import_module("faulty_worker").faulty
    monkeypatch.setattr("deepfake_lightning.data.extraction.run.extract_one", faulty)
    summary = run(clips, tmp_path / "out", timeout=3.0)
    reasons = {entry.key: entry.outcome.reason or "" for entry in summary.failures}
    assert set(reasons) == {"set/real/p0.mp4", "set/real/p1.mp4", "set/fake/p3.mp4"}
    assert "crashes its decoder" in reasons["set/real/p0.mp4"]
    assert "longer than 3 s" in reasons["set/real/p1.mp4"]
    assert "ZeroDivisionError" in reasons["set/fake/p3.mp4"]
    assert summary.count("ok") == 1
    failures = (tmp_path / "out/failures.csv").read_text()
    assert failures.count("unreadable") == 3


_FAULTY = """
import os, signal, time
from deepfake_lightning.data.extraction.worker import extract_one

def faulty(job):
    if job.file.name == "p0.mp4":
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.file.name == "p1.mp4":
        time.sleep(60)
    if job.file.name == "p3.mp4":
        return 1 / 0
    return extract_one(job)
"""


def test_whole_frames(portrait_clips: Path, tmp_path: Path) -> None:
    settings = Extraction(faces=None, size=None, sampling="every:0.5", picture_format="png")
    run(portrait_clips, tmp_path / "out", settings)
    manifest = read_manifest(tmp_path / "out/manifest.parquet")
    usable = manifest.rows[manifest.usable()]
    assert set(usable.loc[usable["video_id"] == "clips/real/none", "frame"]) == {0, 6}
    assert usable["box"].isna().all()
    assert usable["track_id"].isna().all()
    image = read_image(tmp_path / "out" / usable["path"].iloc[0])
    assert image.shape == (144, 192, 3)


def test_pictures_as_well_as_clips(portrait_clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "mixed"
    (root / "real").mkdir(parents=True)
    (root / "fake").mkdir()
    shutil.copy(portrait_clips / "fake/two.mp4", root / "fake/two.mp4")
    from skimage.data import astronaut

    cv2.imwrite(str(root / "real/portrait.png"), cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))
    run(root, tmp_path / "out")
    rows = read_manifest(tmp_path / "out/manifest.parquet").rows.set_index("video_id")
    portrait = rows.loc["mixed/real/portrait"]
    assert (portrait["label"], portrait["track_id"]) == (0, 0)
    assert rows.loc[["mixed/real/portrait"], "frame"].isna().all()


def test_balanced_classes(portrait_clips: Path, tmp_path: Path) -> None:
    clips = tmp_path / "set"
    for name in ("real/p0.mp4", "fake/p1.mp4", "fake/p2.mp4", "fake/p3.mp4", "fake/p4.mp4"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, clips / name)
    settings = Extraction(sampling="even:8", size=64, balance=True)
    rows = run(clips, tmp_path / "out", settings).manifest
    assert rows is not None
    assert rows.rows["label"].value_counts().to_dict() == {0: 8, 1: 8}


def test_what_was_made_otherwise_is_not_mixed(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="quality 95 -> 80"):
        run(portrait_clips, extracted, Extraction(sampling="even:4", size=64, quality=80))
    strict = Extraction(sampling="even:4", size=64, faces=FaceSearch(min_size=60))
    with pytest.raises(UsageError, match="min_size"):
        run(portrait_clips, extracted, strict)
    with pytest.raises(UsageError, match="media of"):
        run(portrait_clips / "real", extracted)
    (tmp_path / "mine.jpg").touch()
    with pytest.raises(UsageError, match="holds something else"):
        run(portrait_clips, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jpg"]


def test_two_processes_do_not_lead_one_shard(portrait_clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        lock(out / ".extraction/shard-1-of-1"),
        pytest.raises(StorageError, match="another process"),
    ):
        run(portrait_clips, out)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times_at_random_moments(
    portrait_clips: Path, extracted: Path, tmp_path: Path
) -> None:
    out, generator = tmp_path / "out", np.random.default_rng(int(os.environ.get("SEED", "1")))
    for _ in range(20):
        process = _start(portrait_clips, out)
        time.sleep(float(generator.uniform(1.0, 4.0)))
        process.kill()
        process.communicate()
    run(portrait_clips, out)
    assert content(out) == content(extracted)


@pytest.mark.parametrize("policy", ["official", "group+identity"])
def test_how_splits_were_made_is_carried_over(
    portrait_clips: Path, tmp_path: Path, policy: str
) -> None:
    manifest = read_media(portrait_clips)
    rows = manifest.rows[manifest.rows["path"].str.contains("p[01].mp4")].assign(split="test")
    listed = tmp_path / "manifest.csv"
    write_manifest(manifest.with_rows(rows), listed, policy=policy)
    extract(list_sources([listed]), [listed], tmp_path / "out", SETTINGS, workers=1)
    assert read_manifest(tmp_path / "out/manifest.parquet").policy == policy
