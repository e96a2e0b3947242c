"""The whole audit: of files that are odd, of real faces, and of many clean sets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_lightning.data.audit import audit, audit_page, check_before_training
from deepfake_lightning.data.audit.run import judge
from deepfake_lightning.data.audit.statistics import Statistics, measure
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.schemas import Manifest

Write = Callable[..., Path]
Rows = Callable[..., pd.DataFrame]
Make = Callable[..., Manifest]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, write_faces: Write) -> Manifest:
    """Return 30 people, half of them in train, without anything that gives the label away."""
    manifest = read_media(write_faces(tmp_path_factory.mktemp("clean")))
    people = manifest.rows["group_id"].astype("category").cat.codes.to_numpy()
    splits = np.array(["train", "val", "test"])[np.array([0, 0, 1, 2])[people % 4]]
    return manifest.with_rows(manifest.rows.assign(split=splits), "given")


def test_a_clean_set_raises_nothing(clean: Manifest) -> None:
    report = audit(clean)
    assert report.findings == ()
    assert (report.files, report.measured) == (60, 60)
    assert check_before_training(clean).findings == ()
    assert "Nothing was found" in audit_page(report)


def test_leaks_stop_a_training_unless_allowed_by_name(clean: Manifest) -> None:
    leaking = clean.with_rows(clean.rows.assign(group_id="one"))
    with pytest.raises(SplitError, match="identity_across_splits") as caught:
        check_before_training(leaking)
    assert "--audit_allow [identity_across_splits]" in caught.value.next_step
    report = check_before_training(leaking, ["identity_across_splits"])
    assert [one.kind for one in report.of("error")] == ["identity_across_splits"]
    with pytest.raises(UsageError, match="identities"):
        check_before_training(clean, ["identities"])


def test_warnings_do_not_stop_a_training(tmp_path: Path, write_faces: Write) -> None:
    manifest = read_media(write_faces(tmp_path, fake={"suffix": ".png"}))
    report = check_before_training(manifest)
    assert [one.kind for one in report.of("warning")] == ["shortcut"]


def test_a_script_without_a_main_guard_may_train(tmp_path: Path, write_faces: Write) -> None:
    write_faces(tmp_path)
    script = (
        "from pathlib import Path\n"
        "from deepfake_lightning.data.audit import check_before_training\n"
        "from deepfake_lightning.data.layouts import read_media\n"
        f"print(check_before_training(read_media(Path({str(tmp_path)!r}))).measured)\n"
    )
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("60\n", 0), done.stderr


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"label": 1}, "one_class"),
        ({"label": pd.NA}, "unlabelled"),
        ({"group_id": "one", "split": "train"}, "too_small"),
    ],
)
def test_what_cannot_be_looked_at_is_a_note(clean: Manifest, change: dict, kind: str) -> None:
    rows = clean.rows.assign(**change)
    report = audit(clean.with_rows(rows.astype({"label": "Int64"})))
    assert [(one.kind, one.severity) for one in report.findings] == [(kind, "note")]
    json.dumps(report.to_dict(), allow_nan=False)
    audit_page(report)


def test_tiny_and_empty_sets(clean: Manifest) -> None:
    report = audit(clean.with_rows(clean.rows.groupby("label").head(1)))
    assert {one.severity for one in report.findings} == {"note"}
    empty = audit(clean.with_rows(clean.rows.head(0)))
    assert {one.kind for one in empty.findings} == {"unlabelled", "not_split"}


def test_damaged_files_are_named_and_cost_themselves(tmp_path: Path, write_faces: Write) -> None:
    write_faces(tmp_path)
    (tmp_path / "real/person3.jpg").write_text("no picture")
    (tmp_path / "fake/person4.jpg").unlink()
    manifest = read_media(tmp_path)
    lost = manifest.rows.assign(path=manifest.rows["path"].str.replace("person5", "gone"))
    report = audit(manifest.with_rows(lost))
    found = next(one for one in report.findings if one.kind == "unreadable")
    assert found.severity == "warning"
    assert found.evidence["files"] == 3
    assert report.measured == 56
    assert report.probe


def test_a_sample_measures_fewer_but_sees_all_leaks(clean: Manifest) -> None:
    told: list[int] = []
    done: list[int] = []
    report = audit(
        clean.with_rows(clean.rows.assign(group_id="one")),
        sample=7, started=told.append, progress=lambda: done.append(1),
    )  # fmt: skip
    assert (report.files, report.measured, told, len(done)) == (60, 7, [7], 7)
    assert report.of("error")[0].evidence["identities"] == 1
    with pytest.raises(UsageError, match="sample is 0"):
        audit(clean, sample=0)


def test_one_picture_of_a_clip_is_measured(clean: Manifest) -> None:
    rows = clean.rows.assign(video_id=[f"v{n // 3}" for n in range(60)], label=pd.NA)
    report = audit(clean.with_rows(rows.astype({"label": "Int64"})))
    assert report.measured == 20


@pytest.mark.slow
def test_the_real_faces_have_a_weak_shortcut(dfdc_faces: Path) -> None:
    manifest = read_media(dfdc_faces)
    report = audit(manifest)
    assert [one.kind for one in report.findings] == ["shortcut"]
    found = report.findings[0]
    assert "a weak shortcut" in found.what
    assert "of the files file_size 0.60" in found.what
    sizes = [(manifest.root / path).stat().st_size for path in manifest.rows["path"]]
    plain = 1 - roc_auc_score(manifest.rows["label"].astype(int), sizes)
    assert found.evidence["features"]["file_size"] == pytest.approx(plain, abs=0.002)
    assert report.probe[0].auc == pytest.approx(0.615, abs=0.01)


def draws(pool: Manifest, measured: Statistics, count: int, size: int) -> int:
    """Return how many sets out of a pool, split and labelled by lot, have any finding."""
    accused = 0
    for seed in range(count):
        generator = np.random.default_rng(seed)
        chosen = generator.choice(len(pool), size, replace=False)
        rows = pool.rows.iloc[chosen].reset_index(drop=True)
        people = np.arange(size) // 2  # two files each
        rows = rows.assign(
            label=pd.array(generator.permutation(np.arange(size) % 2), "Int64"),
            group_id=[f"p{one}" for one in people],
            split=np.array(["train", "train", "val", "test"])[people % 4],
        )
        files = rows.assign(identity=people)
        part = Statistics(
            measured.table.iloc[chosen].reset_index(drop=True),
            measured.fingerprints[chosen], measured.has_fingerprint[chosen], {},
        )  # fmt: skip
        accused += bool(judge(replace(pool, rows=rows), files, files, part).findings)
    return accused


def pool_of(manifest: Manifest) -> tuple[Manifest, Statistics]:
    paths = [manifest.root / path for path in manifest.rows["path"]]
    return manifest, measure(paths, [False] * len(paths))


def test_a_few_random_sets_raise_nothing(tmp_path: Path, write_faces: Write) -> None:
    pool = pool_of(read_media(write_faces(tmp_path, people=80, fake={"quality": 70})))
    assert draws(*pool, 5, 80) <= 1


@pytest.mark.slow
def test_at_most_one_random_set_in_twenty_raises_any_finding(
    tmp_path: Path, write_faces: Write
) -> None:
    """Whole audits of 200 sets of drawn pictures of two qualities, labels and splits by lot."""
    pool = pool_of(read_media(write_faces(tmp_path, people=400, fake={"quality": 70})))
    accused = draws(*pool, 200, 120)
    sys.stdout.write(f"{accused} of 200 clean random sets raised a finding\n")
    assert accused <= 10


@pytest.mark.slow
def test_random_sets_of_real_people_raise_nothing_either(dfdc_faces: Path) -> None:
    """The same with real faces only, where copies can be suspected too."""
    manifest = read_media(dfdc_faces)
    pool = pool_of(manifest.with_rows(manifest.rows[manifest.rows["label"] == 0]))
    accused = draws(*pool, 200, 400)
    sys.stdout.write(f"{accused} of 200 clean random sets of real faces raised a finding\n")
    assert accused <= 10
