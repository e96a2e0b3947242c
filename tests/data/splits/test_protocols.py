"""Named protocols: who may stand where, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from deepfake_lightning.data.splits import (
    SplitPolicy,
    check_splits,
    report,
    split_manifest,
    split_page,
    with_splits,
)
from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.schemas import Manifest

Rows = Callable[..., pd.DataFrame]
AsManifest = Callable[..., Manifest]


def counts(manifest: Manifest, column: str = "label") -> dict[str, set]:
    rows = manifest.rows
    return {str(split): set(part[column].dropna()) for split, part in rows.groupby("split")}


def test_random_is_the_usual_one(ffpp_rows: Rows, as_manifest: AsManifest) -> None:
    found = split_manifest(as_manifest(ffpp_rows()), SplitPolicy(seed=4))
    assert (found.protocol, found.seed) == ("random", 4)
    assert found.manifest.policy == "group"
    assert set(counts(found.manifest)) == {"train", "val", "calib", "test", "gate"}
    again, drawn = with_splits(found.manifest, {"train": 0.5, "test": 0.5}, 0)
    assert not drawn
    pd.testing.assert_frame_equal(again.rows, found.manifest.rows)


def test_people_are_named_as_the_policy(celeb_rows: Rows, as_manifest: AsManifest) -> None:
    found = split_manifest(as_manifest(celeb_rows()), SplitPolicy())
    assert found.manifest.policy == "identity"
    assert with_splits(found.manifest, {"train": 1.0}, 0)[1] is False
    again = split_manifest(found.manifest, SplitPolicy())  # drawn splits are drawn anew
    assert (again.manifest.rows["split"] == found.manifest.rows["split"]).all()


def test_a_second_draw_keeps_names_short(celeb_rows: Rows, as_manifest: AsManifest) -> None:
    first = split_manifest(as_manifest(celeb_rows(group="all")), SplitPolicy())
    second = split_manifest(first.manifest, SplitPolicy(seed=1))
    assert second.manifest.rows["group_id"].str.count("#").max() == 1
    third = split_manifest(second.manifest, SplitPolicy())
    assert (third.manifest.rows["split"] == first.manifest.rows["split"]).all()


def test_leave_one_method_out(ffpp_rows: Rows, as_manifest: AsManifest) -> None:
    policy = SplitPolicy("leave-one-method-out:faceswap")
    found = split_manifest(as_manifest(ffpp_rows()), policy)
    assert found.protocol == "leave-one-method-out:FaceSwap"
    assert found.manifest.policy == "leave-one-method-out:FaceSwap, by group"
    methods = counts(found.manifest, "method")
    assert methods["test"] == methods["gate"] == {"FaceSwap"}
    others = {"Deepfakes", "Face2Face", "NeuralTextures"}
    assert methods["train"] == methods["val"] == methods["calib"] == others
    assert all(labels == {0, 1} for split, labels in counts(found.manifest).items()
               if split != "unused")  # fmt: skip
    check_splits(found.manifest)


def test_choosing_on_a_method_that_is_not_trained_on(
    ffpp_rows: Rows, as_manifest: AsManifest
) -> None:
    policy = SplitPolicy("leave-one-method-out:faceswap, deepfakes")
    found = split_manifest(as_manifest(ffpp_rows()), policy)
    assert found.protocol == "leave-one-method-out:FaceSwap,Deepfakes"
    methods = counts(found.manifest, "method")
    assert methods["test"] == methods["gate"] == {"FaceSwap"}
    assert methods["val"] == methods["calib"] == {"Deepfakes"}
    assert methods["train"] == {"Face2Face", "NeuralTextures"}
    assert all(labels == {0, 1} for split, labels in counts(found.manifest).items()
               if split != "unused")  # fmt: skip
    check_splits(found.manifest)
    for wrong in ("FaceSwap,FaceSwap", "FaceSwap,nobody", "FaceSwap,Deepfakes,Face2Face"):
        with pytest.raises(UsageError):
            split_manifest(as_manifest(ffpp_rows()), SplitPolicy(f"leave-one-method-out:{wrong}"))


def test_fakes_of_an_unknown_method_are_not_trained_on(
    ffpp_rows: Rows, as_manifest: AsManifest
) -> None:
    rows = ffpp_rows()
    rows.loc[rows["method"] == "Deepfakes", "method"] = None
    rows.loc[rows["method"] == "Face2Face", "label"] = None
    found = split_manifest(as_manifest(rows), SplitPolicy("leave-one-method-out:FaceSwap"))
    fakes = found.manifest.rows[found.manifest.rows["path"].str.startswith("Deepfakes")]
    assert set(fakes["split"]) == {"unused"}


def test_cross_dataset(ffpp_rows: Rows, celeb_rows: Rows, as_manifest: AsManifest) -> None:
    rows = pd.concat([ffpp_rows(), celeb_rows(), ffpp_rows(pairs=5, dataset="other")])
    policy = SplitPolicy("cross-dataset:faceforensics++->Celeb-DF-v2")
    found = split_manifest(as_manifest(rows), policy)
    where = counts(found.manifest, "dataset")
    for split in ("train", "val", "calib"):
        assert where[split] == {"FaceForensics++"}
    for split in ("test", "gate", "quarantine"):
        assert where[split] == {"Celeb-DF-v2"}
    assert where["unused"] == {"other"}
    assert found.manifest.policy.endswith("by group+identity")
    sizes = found.manifest.rows["split"].value_counts()
    assert sizes["train"] / (sizes["train"] + sizes["val"] + sizes["calib"]) == pytest.approx(
        0.65 / 0.8, abs=0.02
    )


def test_without_gate_all_of_the_other_set_is_tested_on(
    ffpp_rows: Rows, celeb_rows: Rows, as_manifest: AsManifest
) -> None:
    rows = pd.concat([ffpp_rows(), celeb_rows(people=8)])
    policy = SplitPolicy("cross-dataset:FaceForensics++->Celeb-DF-v2",
                         shares={"train": 0.7, "val": 0.1, "test": 0.2})  # fmt: skip
    found = split_manifest(as_manifest(rows), policy).manifest.rows
    assert set(found.loc[found["dataset"] == "Celeb-DF-v2", "split"]) == {"test"}


def test_official_splits_are_kept_and_their_leaks_counted(
    ffpp_rows: Rows, as_manifest: AsManifest
) -> None:
    rows = ffpp_rows(pairs=10)
    pair = rows["group_id"].str.extract(r"(\d+)$")[0].astype(int) // 2
    rows["split"] = pair.map(lambda n: "train" if n < 7 else "val" if n < 8 else "test")
    clean = split_manifest(as_manifest(rows, "official"), SplitPolicy())
    assert (clean.protocol, clean.manifest.policy, clean.seed) == ("official", "official", None)
    assert (clean.manifest.rows["split"] == rows["split"]).all()
    assert report(clean).leaking == 0
    rows.loc[rows["path"] == "Deepfakes/016_017.mp4", "source_id"] = "000"
    leaking = report(split_manifest(as_manifest(rows, "official"), SplitPolicy()))
    assert leaking.leaking == 1
    assert leaking.examples == {"FaceForensics++/000": ["test", "train"]}
    assert leaking.leaked == {"test": 1}
    assert any("1 identity stands in several splits" in note for note in leaking.notes)


def test_official_test_list_and_the_rest_drawn(celeb_rows: Rows, as_manifest: AsManifest) -> None:
    rows = celeb_rows()
    listed = rows.index % 12 == 0
    rows.loc[listed, "split"] = "test"
    found = split_manifest(as_manifest(rows, "official"), SplitPolicy())
    made = found.manifest.rows
    assert (made.loc[listed, "split"] == "test").all()
    assert set(made.loc[~listed, "split"]) == {"train", "val", "calib", "quarantine"}
    assert found.manifest.policy == "official"
    check_splits(as_manifest(made[~listed], "group"))  # the rest leaks nothing among itself
    told = report(found)
    assert told.leaking == 59
    assert told.leaked["test"] > 0
    with_splits(found.manifest, {"train": 1.0}, 0)


def test_a_data_set_without_official_splits_is_drawn(
    celeb_rows: Rows, ffpp_rows: Rows, as_manifest: AsManifest
) -> None:
    official = ffpp_rows(pairs=10)
    official["split"] = "train"
    official.loc[official.index % 7 == 0, "split"] = None
    rows = pd.concat([official, celeb_rows(people=20)])
    found = split_manifest(as_manifest(rows, "official"), SplitPolicy()).manifest.rows
    own = found[found["dataset"] == "FaceForensics++"]
    assert set(own["split"]) == {"train", "unused"}
    assert "gate" in set(found.loc[found["dataset"] == "Celeb-DF-v2", "split"])


def test_splits_of_unknown_making_are_neither_kept_nor_lost(
    ffpp_rows: Rows, as_manifest: AsManifest
) -> None:
    rows = ffpp_rows()
    rows["split"] = "train"
    given = as_manifest(rows, "given")
    with pytest.raises(SplitError, match="has splits already") as caught:
        split_manifest(given, SplitPolicy())
    assert "--protocol official" in caught.value.next_step
    assert "--protocol random" in caught.value.next_step
    assert split_manifest(given, SplitPolicy("official")).manifest.policy == "official"
    assert split_manifest(given, SplitPolicy("random")).manifest.policy == "group"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (SplitPolicy("randm"), "unknown protocol 'randm'"),
        (SplitPolicy("leave-one-method-out"), "unknown protocol"),
        (SplitPolicy("cross-dataset:a"), "unknown protocol"),
        (SplitPolicy("leave-one-method-out:Nobody"), "(?s)no method 'Nobody'.*Deepfakes"),
        (SplitPolicy("cross-dataset:a->FaceForensics++"), "(?s)no data set 'a'.*FaceForensics"),
        (SplitPolicy("cross-dataset:FaceForensics++->FaceForensics++"), "on both sides"),
        (SplitPolicy(shares={"train": 0.5}), "shares: shares .* add up to 0.5"),
        (SplitPolicy(shares={"train": float("nan"), "test": 0.5}), "add up to"),
    ],
)
def test_what_cannot_be_is_named(
    policy: SplitPolicy, message: str, ffpp_rows: Rows, as_manifest: AsManifest
) -> None:
    with pytest.raises(UsageError, match=message):
        split_manifest(as_manifest(ffpp_rows(pairs=20)), policy)


def test_no_official_splits_and_no_rows(ffpp_rows: Rows, as_manifest: AsManifest) -> None:
    rows = ffpp_rows(pairs=3)
    with pytest.raises(SplitError, match="has no official splits"):
        split_manifest(as_manifest(rows), SplitPolicy("official"))
    with pytest.raises(SplitError, match="lists no media"):
        split_manifest(as_manifest(rows.iloc[:0]), SplitPolicy())


def test_the_report_counts_what_is_there(celeb_rows: Rows, as_manifest: AsManifest) -> None:
    frames = pd.concat([celeb_rows(people=20, loose=5)] * 3, ignore_index=True)
    found = split_manifest(as_manifest(frames), SplitPolicy())
    told = report(found)
    rows = found.manifest.rows
    for line in told.splits:
        part = rows[(rows["split"] == line["split"]) & (rows["label"] == (line["label"] == "fake"))]
        assert line["rows"] == len(part) == 3 * int(str(line["items"]))
        people = pd.concat([part["target_id"], part["source_id"]]).dropna()
        assert line["identities"] == people.nunique()
        assert line["groups"] == part["group_id"].nunique()
    (drawn,) = told.datasets
    assert drawn["ties"] == 20 * 19
    assert sum(int(str(line["items"])) for line in told.splits) == 20 * 10 + 20 * 19 + 5
    (method,) = told.methods
    assert sum(n for n in method.values() if isinstance(n, int)) == 20 * 19
    assert any("kept" in note and "a random choice keeps" in note for note in told.notes)


def test_the_page_holds_all_and_fetches_nothing(celeb_rows: Rows, as_manifest: AsManifest) -> None:
    rows = celeb_rows(people=20, dataset="<b>odd</b>")
    found = split_manifest(as_manifest(rows), SplitPolicy())
    page = split_page(report(found), "x<y.csv", found.manifest.content_hash())
    assert "&lt;b&gt;odd&lt;/b&gt;" in page
    assert "<b>odd" not in page
    assert "x&lt;y.csv" in page
    assert not any(word in page for word in ("http", "src=", "url(", "@import", "<script"))
    for word in ("quarantine", "policy identity", "seed 0", "share kept", "expected", "swap"):
        assert word in page


def test_what_is_lacking_is_noted(make_rows: Rows, as_manifest: AsManifest) -> None:
    rows = make_rows(40, label=0, method=None)
    told = report(split_manifest(as_manifest(rows), SplitPolicy(shares={"train": 1.0})))
    assert "train holds no fake media" in told.notes
    assert "there is no val, calib, test split" in told.notes
    rows = make_rows(40, method="swap", target_id=[f"p{n}" for n in range(40)])
    told = report(split_manifest(as_manifest(rows), SplitPolicy()))
    assert any("20 fakes name no source" in note for note in told.notes)


def test_people_that_cannot_be_divided_are_noted(
    ffpp_rows: Rows, as_manifest: AsManifest, make_rows: Rows
) -> None:
    rows = make_rows(40, method=None)
    told = report(split_manifest(as_manifest(rows), SplitPolicy(unit="identity")))
    assert told.policy == "group"
    assert any("groups stay whole" in note for note in told.notes)
