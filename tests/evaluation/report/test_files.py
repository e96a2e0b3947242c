"""The files of a report: what they say, and that they stand alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.data.audit import Finding
from deepfake_lightning.evaluation.report import evaluate, write_report
from deepfake_lightning.evaluation.report.page import evaluation_page
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.targets import subject_of
from deepfake_lightning.schemas import Calibration
from deepfake_lightning.schemas.assessment import MEANING
from deepfake_lightning.storage import Workspace

Make = Callable[..., Subject]


@pytest.fixture
def full(noisy: Make, fitted: Calibration) -> Subject:
    """Return a subject of which a report has everything to say."""
    return replace(
        noisy(calibration=fitted, columns={"compression": ["c23", "c40"] * 100}),
        name="v1.0.0 <b>|bold|</b>",
        notes=("only pictures <i>of faces</i>",),
        findings=(Finding("shortcut", "warning", "file sizes tell", {}, "encode anew"),),
        model={"kind": "bundle", "backbone": "b0", "digest": "a" * 64},
        data={"origin": "faces", "split": "test", "looks": 3, "datasets": {"set": 200}},
        is_demo=True,
    )


class Page(HTMLParser):
    """What a page fetches and shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.fetched += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_says_all(full: Subject, tmp_path: Path) -> None:
    write_report(tmp_path, evaluate(full, draws=200))
    text = (tmp_path / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.open == [] and page.fetched == []
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert "<script" not in text
    assert text.count("data:image/svg+xml") == 4
    assert "data:image/jpeg" not in text
    for said in (
        "v1.0.0 <b>|bold|</b>", "trained on drawn faces", "only pictures <i>of faces</i>",
        "At its operating threshold it finds", "By compression", "c40", "file sizes tell",
        "encode anew", "on average over such calibrations", "95 % confidence",
        MEANING["inconclusive"],
        MEANING["no_indication"], "times this split was looked at",
        "nor of another training", "says nothing of other sources",
    ):  # fmt: skip
        assert said in page.text, said


def test_the_three_files_agree(full: Subject, tmp_path: Path) -> None:
    found = evaluate(full, draws=200)
    write_report(tmp_path, found)
    record = json.loads((tmp_path / "report.json").read_text("utf-8"))
    auroc = record["levels"]["item"]["metrics"]["auroc"]
    shown = f"{auroc['value']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f})"
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert f"AUROC {shown}" in markdown
    assert f"AUROC {shown}" in Page((tmp_path / "report.html").read_text("utf-8")).text
    assert r"# Evaluation of v1.0.0 &lt;b&gt;\|bold\|&lt;/b&gt;" in markdown
    titles = re.findall(r"^## (.*)$", markdown, re.MULTILINE)
    assert titles[:3] == ["How good it is", "By compression", "Thresholds for pictures"]
    assert record["operating"][0]["thresholds"][0]["promised"]["max_fpr"] == 0.05


def test_a_report_can_be_evaluated_again(full: Subject, tmp_path: Path) -> None:
    first = evaluate(full, draws=200)
    write_report(tmp_path, first)
    again = subject_of(str(tmp_path), workspace=Workspace.find(tmp_path / "mlops"))
    second = evaluate(again, draws=200)
    assert second.results == first.results
    assert second.kinds == first.kinds
    assert (again.name, again.is_demo, again.findings) == (full.name, True, full.findings)


def test_what_is_not_known_is_said(make_subject: Make, tmp_path: Path) -> None:
    subject = make_subject(
        [1.0, -1.0, 2.0, 0.5], [1, 0, None, None], columns={"group_id": None}, data={"split": None}
    )
    write_report(tmp_path, evaluate(subject, draws=50))
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert "2 more items without a label; split not known" in markdown
    assert "nothing says which items show the same people" in markdown
    nothing = make_subject([None, None], [1, 0])
    write_report(tmp_path, evaluate(nothing, draws=50))
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert "Nothing could be judged." in markdown
    assert "finds undefined" not in markdown


def test_each_kind_of_media_has_cards_of_its_own(noisy: Make, fitted: Calibration) -> None:
    kinds = ["image"] * 100 + ["video"] * 100
    page = Page(evaluation_page(evaluate(noisy(calibration=fitted, columns={"media_type": kinds}))))
    for said in ("fake pictures found", "among real pictures", "fake clips found",
                 "among real clips", "of all items"):  # fmt: skip
        assert said in page.text, said


def test_one_report_is_the_same_every_time(full: Subject, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_report(tmp_path / name, replace(evaluate(full, draws=200), seconds=0.0))
        texts.append((tmp_path / name / "report.html").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("labels", [[0] * 6, [1]])
def test_little_data_make_a_report_all_the_same(
    make_subject: Make, tmp_path: Path, labels: list[int]
) -> None:
    write_report(tmp_path, evaluate(make_subject([0.5] * len(labels), labels), draws=50))
    text = Page((tmp_path / "report.html").read_text("utf-8")).text
    assert "undefined" in text
    assert "nan" not in text
