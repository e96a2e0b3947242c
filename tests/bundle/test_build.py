"""What a bundle holds, and that it is whole or not there."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.numpy import load
from sklearn.decomposition import PCA

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.build import build_bundle
from deepfake_lightning.bundle.card import _methods
from deepfake_lightning.bundle.export import run_onnx
from deepfake_lightning.bundle.golden import draw_golden, golden_record
from deepfake_lightning.bundle.provenance import data_provenance
from deepfake_lightning.bundle.reference import Reference, reference_arrays
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.errors import (
    CheckpointError,
    DataError,
    DeepfakeLightningError,
    UsageError,
)
from deepfake_lightning.media import FaceReader, Frame, read_image, to_input
from deepfake_lightning.media.quality import QUALITY_FEATURES, quality
from deepfake_lightning.schemas import FaceSearch, Preprocess, read_manifest, write_manifest
from deepfake_lightning.storage import file_hash


def record_of(built: Any, name: str) -> Any:
    return json.loads((built.folder / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def demo_bundle(crop_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle whose checkpoint lies apart from its run, which was on drawn faces, too."""
    root = tmp_path_factory.mktemp("demo")
    run = shutil.copytree(crop_bundle.run, root / "run")
    checkpoint = shutil.copy(crop_bundle.checkpoint, root / "kept.ckpt")
    manifest = read_manifest(run / "manifest.parquet")
    rows = manifest.rows.copy()
    train = np.flatnonzero(rows["split"] == "train")
    rows.loc[train[:5], ["dataset", "licence"]] = ["demo", "CC0-1.0"]
    rows.loc[train[5:12], ["dataset", "licence"]] = ["odd | name", "CC-BY-4.0"]
    rows.loc[train[12], "status"] = "unreadable"
    rows.loc[rows["label"] == 1, "method"] = "blend"
    write_manifest(manifest.with_rows(rows), run / "manifest.parquet")
    return build_bundle(checkpoint, run=run, version="v9.1+x").folder


def test_it_says_what_it_is(crop_bundle: Any) -> None:
    bundle = load_bundle(crop_bundle.folder)
    record = bundle.record
    assert record.classes == ("real", "fake")
    assert (record.backbone, record.version, record.demo) == ("test_efficientnet", "v1.0.0", False)
    assert record.checkpoint == file_hash(crop_bundle.checkpoint)
    age = datetime.now(UTC) - datetime.fromisoformat(record.created)
    assert 0 <= age.total_seconds() < 3600
    assert 0 <= record.agreement.onnx_cpu.logit < 1e-4
    assert (record.agreement.gpu_fp32 is None) != torch.cuda.is_available()
    assert (bundle.preprocess.input, bundle.preprocess.size) == ("crop", 32)
    assert bundle.calibration.image is None and bundle.calibration.video is None
    assert not list(crop_bundle.folder.rglob("*.ckpt"))


def test_a_network_that_was_trained_on_extracted_faces_looks_for_faces(frame_bundle: Any) -> None:
    preprocess = load_bundle(frame_bundle.folder).preprocess
    assert (preprocess.input, preprocess.sampling, preprocess.margin) == ("frame", "even:4", 1.3)


def test_it_says_where_it_comes_from(crop_bundle: Any) -> None:
    found = record_of(crop_bundle, "provenance.json")
    manifest = read_manifest(crop_bundle.run / "manifest.parquet")
    train = int((manifest.rows["split"] == "train").sum())
    assert found["data"]["content_hash"] == manifest.content_hash()
    assert found["data"]["split_policy"] == "group"
    assert found["data"]["counts"] == manifest.counts()
    assert found["data"]["datasets"] == {"faces": train}
    assert found["data"]["licences"] == {"not stated": train}
    config = yaml.safe_load((crop_bundle.run / "config.yaml").read_text())
    assert found["config"]["model"] == config["model"]
    assert found["config"]["data"] == {**config["data"], "root": "faces"}
    # Where things lie on the machine it was trained on is nobody's business.
    assert str(crop_bundle.run.parents[2]) not in json.dumps(found)
    assert found["training"]["epochs"] == 2
    assert isinstance(found["training"]["seed"], int)
    assert found["built_with"]["torch"] == torch.__version__.partition("+")[0]


def test_items_without_a_face_were_not_trained_on(frame_bundle: Any) -> None:
    manifest = read_manifest(frame_bundle.run / "manifest.parquet")
    rows = manifest.rows.assign(split="train")
    used = int((rows["status"].fillna("ok") == "ok").sum())
    assert used < len(rows)
    assert data_provenance(manifest.with_rows(rows))["datasets"] == {"clips": used}


def test_fakes_that_were_not_trained_on_are_not_counted(make_faces: Any, tmp_path: Path) -> None:
    found = read_media(make_faces(tmp_path, people=2))
    fake = found.rows["label"] == 1
    rows = found.rows[found.rows.index != fake.idxmax()].reset_index(drop=True)
    fake = rows["label"] == 1
    manifest = found.with_rows(rows.assign(split="train", dataset=fake.map({True: "y", False: "x"}),
                                           method=fake.map({True: "m", False: None})))  # fmt: skip
    plan = {"share": 1.0, "ratio": 0.0, "pairs": 2, "reals": 0, "fakes": 0}
    alone = data_provenance(manifest, plan)
    assert (alone["datasets"], alone["methods"], alone["blending"]) == ({"x": 2}, {}, plan)
    mixed = data_provenance(manifest, {**plan, "ratio": 0.5, "fakes": 1})
    assert (mixed["datasets"], mixed["methods"]) == ({"x": 2, "y": 1}, {"m": 1})
    said = _methods(alone)
    assert "2 pairs of a real face and its fake" in said and "on no fakes of the data" in said
    assert "| m | 1 |" in _methods(mixed)
    assert _methods({"methods": {}}) == "Methods: not stated."


def test_licences_data_sets_and_methods_are_counted_and_the_demo_says_so(demo_bundle: Path) -> None:
    data = json.loads((demo_bundle / "provenance.json").read_text())["data"]
    rest = sum(data["datasets"].values()) - 5 - 7
    assert data["datasets"] == {"demo": 5, "faces": rest, "odd | name": 7}
    assert data["licences"] == {"CC-BY-4.0": 7, "CC0-1.0": 5, "not stated": rest}
    assert data["methods"].keys() == {"blend"}
    bundle = load_bundle(demo_bundle)
    assert bundle.record.demo
    assert bundle.record.version == "v9.1+x"
    card = (demo_bundle / "MODEL_CARD.md").read_text("utf-8")
    assert card.startswith("# v9.1+x")
    assert "Trained on drawn faces" in card
    assert "| odd / name | 7 |" in card and "| CC-BY-4.0 | 7 |" in card and "| blend |" in card


def test_without_out_the_bundle_lies_in_the_run(demo_bundle: Path) -> None:
    assert demo_bundle.name == "bundle"
    assert (demo_bundle.parent / "manifest.parquet").is_file()
    assert oct(demo_bundle.stat().st_mode)[-3:] == "755"


def test_the_card_says_what_it_is_for_and_what_not(crop_bundle: Any, frame_bundle: Any) -> None:
    for built in (crop_bundle, frame_bundle):
        card = (built.folder / "MODEL_CARD.md").read_text("utf-8")
        assert "drawn faces" not in card
        for text in ("## Intended use", "## Prohibited use", "## Known failures",
                     "It does not cover sound, scenes without faces", "not calibrated",
                     "| not stated |", "## Training data"):  # fmt: skip
            assert text in card, text
        assert "None" not in card and "nan" not in card


def test_golden_pictures_show_the_faces_that_are_counted(frame_bundle: Any) -> None:
    golden = record_of(frame_bundle, "golden/golden.json")
    preprocess = load_bundle(frame_bundle.folder).preprocess
    graph = (frame_bundle.folder / "model.onnx").read_bytes()
    assert len(golden["pictures"]) == 8
    for picture in golden["pictures"]:
        image = read_image(frame_bundle.folder / picture["file"])
        found = list(FaceReader(preprocess).faces([Frame(0, 0, image)]))
        assert len(found) == picture["faces"] == 1
        logit, _ = run_onnx(graph, np.stack([to_input(f.image, preprocess) for f in found]))
        assert logit.max() == pytest.approx(picture["logit"], abs=1e-4)


def test_golden_pictures_of_a_network_for_crops_are_crops(crop_bundle: Any) -> None:
    golden = record_of(crop_bundle, "golden/golden.json")
    preprocess = load_bundle(crop_bundle.folder).preprocess
    graph = (crop_bundle.folder / "model.onnx").read_bytes()
    for picture in golden["pictures"]:
        image = read_image(crop_bundle.folder / picture["file"])
        assert image.shape == (32, 32, 3)
        logit, _ = run_onnx(graph, to_input(image, preprocess)[None])
        assert float(logit[0]) == pytest.approx(picture["logit"], abs=1e-4)


def test_golden_pictures_are_always_drawn_alike() -> None:
    one, other = (draw_golden(Preprocess(input="frame", size=32)) for _ in range(2))
    assert [p.png for p in one] == [p.png for p in other]
    assert len({p.png for p in one}) == len(one)


def test_golden_pictures_without_a_face_are_kept_without_a_score() -> None:
    large = Preprocess(input="frame", size=32, faces=FaceSearch(min_size=400))
    pictures = draw_golden(large)
    record = golden_record(pictures, np.zeros(0, np.float32))
    assert {(p["faces"], p["logit"]) for p in record["pictures"]} == {(0, None)}


@pytest.mark.slow
def test_faces_that_the_golden_pictures_do_not_show_can_be_asked_for(
    frame_bundle: Any, tmp_path: Path
) -> None:
    """A training on large faces only gives a bundle as well."""
    run = shutil.copytree(frame_bundle.run, tmp_path / "run")
    checkpoint = run / "checkpoints" / frame_bundle.checkpoint.name
    content = torch.load(checkpoint, weights_only=True)
    content["DeepfakeDataModule"]["preprocess"]["faces"]["min_size"] = 400
    torch.save(content, checkpoint)
    bundle = build_bundle(checkpoint)
    assert {p["faces"] for p in bundle.read_json("golden/golden.json")["pictures"]} == {0}


def test_the_reference_is_what_the_network_says_of_val(crop_bundle: Any) -> None:
    record = record_of(crop_bundle, "reference.json")
    arrays = load((crop_bundle.folder / "reference.safetensors").read_bytes())
    manifest = read_manifest(crop_bundle.run / "manifest.parquet")
    val = manifest.rows[manifest.rows["split"] == "val"]
    preprocess = load_bundle(crop_bundle.folder).preprocess
    images = [read_image(manifest.root / path) for path in val["path"]]
    inputs = np.stack([to_input(image, preprocess) for image in images])
    logits, features = run_onnx((crop_bundle.folder / "model.onnx").read_bytes(), inputs)
    np.testing.assert_allclose(arrays["logit"], logits, atol=1e-5)
    assert arrays["label"].tolist() == val["label"].tolist()
    assert (record["split"], record["pictures"], record["items"]) == ("val", len(val), len(val))
    assert record["items_fake"] == (val["label"] == 1).sum()

    np.testing.assert_allclose(np.sort(arrays["item_logit"]), np.sort(logits), atol=1e-5)
    histogram = record["item_logit"]
    assert sum(histogram["counts"]) == len(val)
    expected, _ = np.histogram(logits, histogram["edges"])
    assert histogram["counts"] == expected.tolist()

    resized = [cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in images]
    measured = pd.DataFrame([quality(image) for image in resized])
    assert tuple(record["quality"]) == QUALITY_FEATURES
    for name, found in record["quality"].items():
        assert found["mean"] == pytest.approx(measured[name].mean(), rel=1e-4)
        assert found["std"] == pytest.approx(measured[name].std(ddof=0), rel=1e-4)
        for q, value in found["quantiles"].items():
            assert value == pytest.approx(np.quantile(measured[name], float(q)), rel=1e-4)

    np.testing.assert_allclose(arrays["mean"], features.mean(axis=0), atol=1e-5)
    pca = PCA(n_components=len(arrays["components"]), svd_solver="full").fit(features)
    np.testing.assert_allclose(arrays["variance"], pca.explained_variance_, rtol=1e-3, atol=1e-9)
    again = (features - arrays["mean"]) @ arrays["components"].T
    np.testing.assert_allclose(arrays["projections"], again, atol=1e-4)


def _reference(pictures: int, width: int, seed: int = 0) -> Reference:
    generator = np.random.default_rng(seed)
    spread = np.linspace(3, 0.1, width)
    features = (generator.normal(size=(pictures, width)) * spread + 5).astype(np.float32)
    zeros = np.zeros(pictures, np.int64)
    logit = generator.normal(size=pictures).astype(np.float32)
    measured = np.ones((pictures, len(QUALITY_FEATURES)), np.float32)
    return Reference("val", logit, features, measured, zeros, np.arange(pictures),
                     logit.astype(float), zeros, np.zeros((1, 3, 8, 8), np.float32))  # fmt: skip


@pytest.mark.parametrize(("pictures", "width"), [(200, 40), (200, 5), (10, 40), (2, 6)])
def test_components_are_those_of_scikit_learn(pictures: int, width: int) -> None:
    reference = _reference(pictures, width)
    arrays = load(reference_arrays(reference))
    kept = min(32, width, pictures - 1)
    pca = PCA(n_components=kept, svd_solver="full").fit(reference.features.astype(float))
    assert arrays["components"].shape == (kept, width)
    signs = np.sign((arrays["components"] * pca.components_).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(arrays["components"], signs * pca.components_, atol=1e-4)
    np.testing.assert_allclose(arrays["variance"], pca.explained_variance_, rtol=1e-4)
    projected = pca.transform(reference.features.astype(float)) * signs.T
    np.testing.assert_allclose(arrays["projections"], projected, atol=1e-3)


def test_one_picture_has_no_variance() -> None:
    arrays = load(reference_arrays(_reference(1, 6)))
    assert arrays["variance"].tolist() == [0.0]
    assert np.isfinite(arrays["components"]).all()


def test_scores_beyond_the_histogram_are_counted_at_its_ends() -> None:
    from deepfake_lightning.bundle.reference import reference_record

    reference = _reference(4, 3)
    reference.item_logit[:] = [-99.0, -10.0, 10.0, 99.0]
    counts = reference_record(reference)["item_logit"]["counts"]
    assert (counts[0], counts[-1], sum(counts)) == (2, 2, 4)


def test_a_folder_that_exists_is_left_as_it_is(crop_bundle: Any, tmp_path: Path) -> None:
    for content in ({}, {"notes.txt": "mine"}):
        out = tmp_path / f"out{len(content)}"
        out.mkdir()
        for name, text in content.items():
            (out / name).write_text(text)
        with pytest.raises(UsageError, match="exists already") as caught:
            build_bundle(crop_bundle.checkpoint, out)
        assert "--out" in caught.value.next_step
        assert {p.name: p.read_text() for p in out.iterdir()} == content


def test_a_checkpoint_taken_elsewhere_needs_its_run(crop_bundle: Any, tmp_path: Path) -> None:
    checkpoint = shutil.copy(crop_bundle.checkpoint, tmp_path / "copied.ckpt")
    with pytest.raises(UsageError, match=r"manifest\.parquet") as caught:
        build_bundle(checkpoint)
    assert "--run" in caught.value.next_step
    with pytest.raises(UsageError, match=r"manifest\.parquet"):
        build_bundle(checkpoint, run=tmp_path)
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_text("text")
    for name in ("a.ckpt", "no.ckpt"):
        with pytest.raises(CheckpointError, match=name):
            build_bundle(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("version", ["a b", "../x", "v" * 65])
def test_a_version_that_is_no_name_is_refused_before_anything_is_done(
    crop_bundle: Any, tmp_path: Path, version: str
) -> None:
    said: list[str] = []
    with pytest.raises(UsageError, match="--version"):
        build_bundle(
            crop_bundle.checkpoint, tmp_path / "out", version=version,
            progress=lambda what, done, total: said.append(what),
        )  # fmt: skip
    assert "exporting to ONNX" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_media_that_are_gone_leave_no_bundle(crop_bundle: Any, tmp_path: Path) -> None:
    run = shutil.copytree(crop_bundle.run, tmp_path / "run")
    manifest = read_manifest(run / "manifest.parquet")
    moved = read_manifest(run / "manifest.parquet")
    (tmp_path / "nothing").mkdir()
    object.__setattr__(moved, "root", tmp_path / "nothing")
    write_manifest(moved, run / "manifest.parquet")
    assert manifest.root != tmp_path / "nothing"
    before = sorted(p.name for p in run.iterdir())
    with pytest.raises(DataError, match="no picture of the val split"):
        build_bundle(run / "checkpoints" / crop_bundle.checkpoint.name)
    assert sorted(p.name for p in run.iterdir()) == before


@pytest.mark.parametrize(
    ("error", "at"), [(KeyboardInterrupt, "writing"), (MemoryError, "exporting")]
)
def test_an_interrupted_build_leaves_nothing(
    crop_bundle: Any, tmp_path: Path, error: type[BaseException], at: str
) -> None:
    def progress(what: str, done: int, total: int) -> None:
        if what.startswith(at):
            raise error

    with pytest.raises(error):
        build_bundle(crop_bundle.checkpoint, tmp_path / "out", progress=progress)
    assert not list(tmp_path.iterdir())


def test_weights_that_diverged_give_no_bundle(crop_bundle: Any, tmp_path: Path) -> None:
    run = shutil.copytree(crop_bundle.run, tmp_path / "run")
    checkpoint = run / "checkpoints" / crop_bundle.checkpoint.name
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["head.bias"][1] = float("nan")
    torch.save(content, checkpoint)
    with pytest.raises(DeepfakeLightningError, match="finite"):
        build_bundle(checkpoint)
    assert not (run / "bundle").exists()
