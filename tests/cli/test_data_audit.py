"""``data audit`` as a command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deepfake_lightning.cli import main

PEOPLE = 24


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory, make_faces: Callable[..., Path]) -> Path:
    """Return an index of pictures whose fakes carry a grid; person0 is in train and test."""
    root = make_faces(tmp_path_factory.mktemp("leaking"), people=PEOPLE)
    lines = ["path,label,group,split"]
    for number in range(PEOPLE):
        split = ("train", "train", "val", "test")[number % 4]
        for name in ("real", "fake"):
            odd = number == 0 and name == "fake"
            place = "test" if odd else split
            lines.append(f"{name}/person{number}.jpg,{name},p<{number}>,{place}")
    (root / "index.csv").write_text("\n".join(lines) + "\n")
    return root


def test_leaks_exit_with_2_and_are_named(leaking: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "audit", str(leaking)]) == 2
    shown = capsys.readouterr().out
    assert "identity_across_splits" in shown
    assert "p<0>" in shown
    assert "--allow identity_across_splits" in shown
    assert "shortcut" in shown
    table = shown[: shown.index(str(leaking))]  # long paths may be longer
    assert max(map(len, table.splitlines())) <= 80


def test_allowed_by_name_they_pass(leaking: Path, capsys: pytest.CaptureFixture) -> None:
    allow = ["--allow", "identity_across_splits,near_copy"]
    assert main(["data", "audit", str(leaking), *allow]) == 0
    assert "allowed" in capsys.readouterr().out
    assert main(["data", "audit", str(leaking), "--allow", "identity"]) == 2
    assert "unknown kind of finding: identity" in capsys.readouterr().err


def test_warnings_and_notes_pass(
    tmp_path: Path, write_picture: Callable[..., Path], capsys: pytest.CaptureFixture
) -> None:
    write_picture(tmp_path / "real/a.jpg", seed=1)
    write_picture(tmp_path / "fake/b.jpg", seed=2)
    assert main(["data", "audit", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "too_small" in shown
    assert "errors: 0" in shown


def test_json_is_all_that_is_on_stdout(leaking: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "audit", str(leaking), "--json", "true", "--sample", "10"]) == 2
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == 1
    assert record["measured"] == 10
    assert record["findings"][0]["kind"] == "identity_across_splits"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)
        self.outside += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone(leaking: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages" / "audit.html"
    assert main(["data", "audit", str(leaking), "--out", str(out)]) == 2
    text = out.read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.outside == [] and page.open == []
    assert not re.search(r"https?://|@import|url\(", text)
    assert "svg" in page.tags and "script" not in page.tags
    assert "p&lt;0&gt;" in text  # names are data, never markup
    assert text.index("Findings") < text.index("Rows") < text.index("give away")
    bars = text.count("<rect")
    assert bars == text.count("<tr><td>") - 3  # a bar for each row but those of the three splits


def test_help_and_unknown_flags(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["data", "audit", "--help"])
    assert "allow" in capsys.readouterr().out
    assert main(["data", "audit", "x", "--sampl", "3"]) == 2
    assert "--sample" in capsys.readouterr().err
