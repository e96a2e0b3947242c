"""``data show``: one sheet of what a training sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from deepfake_lightning.cli import main

CONFIGS = Path(__file__).parent.parent.parent / "configs"


@pytest.mark.parametrize(("config", "rows"), [("lite0.yaml", 4), ("sbi.yaml", 7)])
def test_a_sheet_has_what_the_configuration_makes(
    config: str, rows: int, faces: Path, tmp_path: Path, capsys: Any
) -> None:
    sheet = tmp_path / "sheet.png"
    asked = ["--config", str(CONFIGS / config), "--out", str(sheet), "--count", "2"]
    assert main(["data", "show", str(faces), *asked]) == 0
    height, width = cv2.imread(str(sheet)).shape[:2]
    assert height / width == pytest.approx(2.1 * rows / (1.7 * 2), rel=0.02)
    said = capsys.readouterr().out
    assert "real; fake" in said
    assert ("the fakes made of them" in said) == (config == "sbi.yaml")


@pytest.mark.parametrize(
    ("blending", "said"),
    [("{share: half}", "data.blending.share is 'half'"), ("true", "data.blending is True"),
     ("{share: 2}", "data.blending.share is 2"), ("{shares: 1}", "data.blending.shares is no")],
)  # fmt: skip
def test_blending_that_cannot_be_is_named(
    blending: str, said: str, faces: Path, tmp_path: Path, capsys: Any
) -> None:
    config = tmp_path / "x.yaml"
    config.write_text(f"data: {{blending: {blending}}}")
    out = tmp_path / "sheet.png"
    assert main(["data", "show", str(faces), "--config", str(config), "--out", str(out)]) == 2
    shown = capsys.readouterr().err
    assert said in shown and "Next: " in shown and "Traceback" not in shown
    assert not out.exists()


def test_pairs_that_a_training_refuses_are_not_drawn(
    faces: Path, tmp_path: Path, capsys: Any
) -> None:
    asked = ["--config", str(CONFIGS / "sbi.yaml"), "--out", str(tmp_path / "sheet.png")]
    assert main(["data", "show", str(faces), *asked, "--face", "none"]) == 2
    assert "whole frames" in capsys.readouterr().err
