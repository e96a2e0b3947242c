"""What files give away is found and named; what they do not is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_lightning.data.audit import AuditReport, Finding, audit
from deepfake_lightning.data.audit.intervals import grouped_auc, holm
from deepfake_lightning.data.audit.shortcuts import TOGETHER, look_at_probe, probe, strength
from deepfake_lightning.data.layouts import read_media

Write = Callable[..., Path]


def shortcut(report: AuditReport) -> Finding | None:
    return next((one for one in report.findings if one.kind == "shortcut"), None)


def test_alike_files_raise_nothing(tmp_path: Path, write_faces: Write) -> None:
    report = audit(read_media(write_faces(tmp_path)))
    assert {one.kind for one in report.findings} == {"not_split"}
    assert report.probe[0].name == TOGETHER
    assert "quantisation" in report.constant


@pytest.mark.parametrize(
    ("fake", "named"),
    [
        ({"quality": 60}, "quantisation"),
        ({"suffix": ".png"}, "format"),
        ({"subsampling": 0}, "subsampling"),
        ({"progressive": True}, "progressive"),
        ({"size": (80, 80)}, "width"),
        ({"size": (64, 48)}, "aspect"),
        ({"blur": 1.2}, "sharpness"),
        ({"brighter": 60}, "brightness"),
        ({"icc_profile": b"\0" * 132}, "colour_profile"),
    ],
)
def test_a_difference_between_the_classes_is_named(
    tmp_path: Path, write_faces: Write, fake: dict[str, Any], named: str
) -> None:
    found = shortcut(audit(read_media(write_faces(tmp_path, fake=fake))))
    assert found is not None
    assert found.severity == "warning"
    assert found.evidence["features"][named] > 0.8
    assert "a strong shortcut" in found.what


def test_what_exif_says_is_named(tmp_path: Path, write_faces: Write) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[305] = "Face Swapper 2"
    found = shortcut(audit(read_media(write_faces(tmp_path, fake={"exif": exif}))))
    assert found is not None
    assert {"exif", "software"} <= set(found.evidence["features"])


@pytest.mark.parametrize(
    ("fake", "named"),
    [
        ({"codec": "mpeg4"}, {"codec"}),
        ({"fps": 30}, {"fps", "duration"}),
        ({"options": {"crf": "45"}}, {"bitrate", "file_size", "bits_per_pixel"}),
        ({"audio": True}, {"sound"}),
        ({"pix_fmt": "yuv444p"}, {"subsampling", "profile"}),
    ],
)
def test_clips_too(tmp_path: Path, make_clip: Write, fake: dict[str, Any], named: set[str]) -> None:
    generator = np.random.default_rng(0)
    for number in range(20):
        for name, how in (("real", {}), ("fake", fake)):
            noise = generator.integers(0, 12, (6, 64, 96, 3)) + generator.integers(40, 200, 3)
            pictures = list(noise.astype(np.uint8))
            make_clip(tmp_path / name / f"p{number}.mp4", pictures=pictures, **how)
    found = shortcut(audit(read_media(tmp_path)))
    assert found is not None
    assert named <= set(found.evidence["features"])


def data(count: int, shift: float, seed: int = 0) -> tuple[pd.DataFrame, Any, Any]:
    """Return statistics of pairs of a real and a fake item; ``file_size`` of fakes is shifted."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    table = pd.DataFrame(
        {
            "file_size": np.exp(9 + generator.normal(size=count) + shift * labels),
            "brightness": generator.normal(100, 20, count),
            "format": generator.choice(["JPEG", "PNG"], count),
        }
    )
    return table, labels, np.arange(count) // 2


def test_the_auc_is_scikit_learns() -> None:
    table, labels, groups = data(600, 0.5)
    results = {one.name: one for one in probe(table, labels, groups)[0]}
    plain = roc_auc_score(labels, table["file_size"])
    # Folds scale their scores a little differently.
    assert results["file_size"].auc == pytest.approx(plain, abs=0.005)
    scores = np.round(table["brightness"].to_numpy())  # with ties
    found = grouped_auc(scores, labels, groups, against=0.5)
    assert found.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.low < found.auc < found.high


@pytest.mark.parametrize(("shift", "word"), [(0.35, "weak"), (0.9, "moderate"), (2.0, "strong")])
def test_its_strength_in_a_word(shift: float, word: str) -> None:
    results, _ = probe(*data(1000, shift))
    found = look_at_probe(results)[0]
    assert f"a {word} shortcut" in found.what
    assert list(found.evidence["features"]) == ["file_size"]


def test_the_bounds_of_the_words() -> None:
    assert [strength(auc) for auc in (0.64, 0.65, 0.8, 0.81)] == [
        "weak", "moderate", "moderate", "strong"
    ]  # fmt: skip


def test_a_size_that_only_fakes_lack_is_seen_by_a_linear_model() -> None:
    table, labels, groups = data(400, 0.0)
    generator = np.random.default_rng(1)
    sizes = np.where(labels == 1, 512, generator.choice([256, 1024], 400))
    found = look_at_probe(probe(table.assign(width=sizes), labels, groups)[0])
    assert found[0].evidence["features"]["width"] > 0.95


def test_a_tiny_difference_in_much_data_is_let_be() -> None:
    table, labels, groups = data(20_000, 0.04)
    results, _ = probe(table[["file_size"]], labels, groups)
    size = next(one for one in results if one.name == "file_size")
    assert size.low > 0.5
    assert not size.gives_away


def test_people_are_what_is_drawn_and_not_their_clips() -> None:
    """100 clips of 20 people each with the light of their room: no evidence of anything."""
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(24), 100)
    labels = generator.permutation(np.arange(24) % 2)[groups]
    light = generator.normal(size=24)[groups] + 0.01 * generator.normal(size=len(groups))
    wide = grouped_auc(light, labels, groups, against=0.5)
    narrow = grouped_auc(light, labels, np.arange(len(groups)), against=0.5)
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_holm_is_as_in_the_paper() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize("count", [0, 2, 20])
def test_too_few_items_have_no_result(count: int) -> None:
    results, _ = probe(*data(count, 3.0))
    assert results == []


def clean(seed: int) -> tuple[pd.DataFrame, Any, Any]:
    """Return statistics without a difference: pairs, lone items, or people with several clips."""
    generator = np.random.default_rng(seed)
    count = int(generator.choice([60, 120, 240]))
    kind = seed % 3
    labels = np.arange(count) % 2 if kind == 0 else generator.integers(0, 2, count)
    people = max(24, count // 8)
    groups = [np.arange(count) // 2, np.arange(count), generator.integers(0, people, count)][kind]
    own = generator.normal(size=(count, 3))[groups]
    table = pd.DataFrame(
        {
            "file_size": np.exp(9 + own[:, 0] + generator.normal(size=count)),
            "width": generator.choice([256, 512, 640, 1024], count),
            "bitrate": np.where(generator.random(count) < 0.3, np.nan,
                                1 + generator.standard_cauchy(count) ** 2),
            "fps": generator.choice([24, 25, 29.97, 30], count),
            "quantisation": generator.choice(list("abcdefghij"), count),
            "format": generator.choice(["JPEG", "PNG"], count, p=[0.9, 0.1]),
            "exif": generator.choice(["True", "False"], count),
            "brightness": 100 + 20 * own[:, 1] + generator.normal(0, 5, count),
            "sharpness": np.exp(5 + own[:, 2]),
            "noise": generator.gamma(3, 0.2, count),
        }
    )  # fmt: skip
    return table, labels, groups


def alarms(seeds: range) -> int:
    return sum(bool(look_at_probe(probe(*clean(seed))[0])) for seed in seeds)


def test_clean_statistics_raise_nothing() -> None:
    assert alarms(range(6)) <= 1


@pytest.mark.slow
def test_at_most_one_clean_set_in_twenty_raises_a_shortcut() -> None:
    count = alarms(range(200))
    print(f"{count} of 200 clean sets of statistics raised a shortcut")
    assert count <= 10
