"""What is explained is what ``predict`` scored, and the page says what it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.errors import BundleError, UsageError
from deepfake_lightning.evaluation.explanation.explain import Explainer
from deepfake_lightning.evaluation.explanation.files import write_explanation
from deepfake_lightning.evaluation.explanation.heat import HeatMaps, Method
from deepfake_lightning.evaluation.explanation.opening import open_explainer
from deepfake_lightning.evaluation.explanation.page import explanation_page
from deepfake_lightning.evaluation.explanation.record import ExplainedItem, Explanation
from deepfake_lightning.evaluation.explanation.words import MEANING
from deepfake_lightning.inference import EngineSource
from deepfake_lightning.models import DeepfakeDetector


@pytest.fixture(scope="module")
def explainer(frame_bundle: Any) -> Explainer:
    return open_explainer(EngineSource(frame_bundle.folder), faces=3)


@pytest.fixture(scope="module")
def clip(explainer: Explainer, portrait_clips: Path) -> ExplainedItem:
    """Return the explanation of a clip of two faces."""
    return explainer.explain(portrait_clips / "fake/two.mp4")


def explanation(explainer: Explainer, *items: ExplainedItem) -> Explanation:
    heat = explainer.heat
    return Explanation("v9", explainer.backbone, heat.method, heat.grid, 32, False, items)


def test_a_clip_is_explained_as_it_is_scored(
    explainer: Explainer, clip: ExplainedItem, portrait_clips: Path
) -> None:
    found = explainer.engine.assess(portrait_clips / "fake/two.mp4")
    assert replace(clip.found, milliseconds={}) == replace(found, milliseconds={})
    assert len(found.tracks) == 2
    assert clip.tracks[0].logit == pytest.approx(found.logit, abs=1e-6)
    assert 0 < clip.difference < 1e-4
    logits = [face.logit for face in found.faces]
    assert logits.index(max(logits)) in [face.place for face in clip.faces]
    assert {found.faces[face.place].track for face in clip.faces} == {0, 1}
    assert len(clip.faces) == 3
    assert len(clip.checks("deletion")) == len(clip.checks("insertion")) == 3
    assert clip.checks("deletion")[0].map.scores[0] == pytest.approx(clip.faces[0].score, abs=1e-4)


def test_a_checkpoint_is_explained_as_it_is_scored(trained: Any, faces: Path) -> None:
    source = EngineSource(checkpoint=trained.result.best_checkpoint)
    explainer = open_explainer(source, checks=False)
    picture = faces / "fake/person0.jpg"
    item = explainer.explain(picture, already_cropped=True)
    found = source.open().assess(picture, already_cropped=True)
    assert replace(item.found, milliseconds={}) == replace(found, milliseconds={})
    assert len(item.faces) == 1 and item.faces[0].checks is None and item.randomised == ()
    assert item.faces[0].decided


def test_another_network_is_not_explained_in_its_place(
    explainer: Explainer, portrait_clips: Path
) -> None:
    other = HeatMaps(DeepfakeDetector("test_efficientnet", pretrained=False).eval(), 32)
    with pytest.raises(BundleError, match="off the one of predict"):
        replace(explainer, heat=other).explain(portrait_clips / "real/p0.mp4")


def test_nothing_to_explain_is_a_result(explainer: Explainer, portrait_clips: Path) -> None:
    for name, status in (("none", "no_face"), ("broken", "unreadable")):
        item = explainer.explain(portrait_clips / f"real/{name}.mp4")
        assert (item.found.status, item.faces, item.tracks) == (status, (), ())


def test_how_many_faces_is_bounded(frame_bundle: Any) -> None:
    for faces in (0, 65):
        with pytest.raises(UsageError, match=f"--faces {faces} is not between"):
            open_explainer(EngineSource(frame_bundle.folder), faces=faces)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_needs_no_network_and_says_what_it_is_not(
    explainer: Explainer, clip: ExplainedItem, portrait_clips: Path, tmp_path: Path
) -> None:
    bad = "<script>alert(1)</script>.mp4"
    named = replace(clip, found=replace(clip.found, name=bad))
    none = explainer.explain(portrait_clips / "real/none.mp4")
    write_explanation(tmp_path, explanation(explainer, named, none))
    page = Page((tmp_path / "explanation.html").read_text())
    assert "script" not in page.tags and bad in page.words
    assert all(link.startswith("data:image/") for link in page.links)
    assert page.tags.count("img") == 3 * len(clip.faces)
    assert page.tags.count("polyline") == 2 + 2 * 3  # a timeline a track, three curves a kind
    assert page.words.index(MEANING) < page.words.index(bad)
    assert "no face was found" in page.words
    assert len(list((tmp_path / "faces").iterdir())) == len(clip.faces)
    assert cv2.imread(str(tmp_path / "faces/01-01.jpg")).shape[1] == 960

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    record = json.loads((tmp_path / "explanation.json").read_text(), parse_constant=refuse)
    first = record["items"][0]
    assert record["meaning"] == MEANING and first["assessment"]["name"] == bad
    window = [
        first["assessment"]["faces"][place]["logit"] for place in first["tracks"][0]["window"]
    ]
    assert np.mean(window) == pytest.approx(first["assessment"]["logit"])


def test_what_does_not_add_up_is_not_said_to(
    frame_bundle: Any, write_picture: Callable[..., Path], tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "face.jpg", fake=True)
    methods: tuple[Method, ...] = ("gradcam", "occlusion")
    for method in methods:  # its last maps of more than a field are not the network's last ones
        made = open_explainer(EngineSource(frame_bundle.folder), method=method, checks=False)
        item = made.explain(picture, already_cropped=True)
        page, record = explanation_page(explanation(made, item)), item.to_dict()
        assert "sum of the fields" not in page and "logit" in page
        assert record["faces"][0]["sum"] is record["constant"] is None
    added = replace(item, constant=0.25)
    assert "the sum of the fields, and the bias +0.25" in explanation_page(explanation(made, added))
    assert added.to_dict()["faces"][0]["sum"] == pytest.approx(item.faces[0].heat.sum(), abs=1e-4)


def test_two_runs_give_the_same_bytes(
    explainer: Explainer, write_picture: Callable[..., Path], tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "face.jpg", fake=True)
    made = []
    for name in ("a", "b"):
        item = explainer.explain(picture, already_cropped=True)
        (tmp_path / name).mkdir()
        write_explanation(tmp_path / name, explanation(explainer, item))
        made.append((tmp_path / name / "explanation.html").read_bytes())
    assert made[0] == made[1]
