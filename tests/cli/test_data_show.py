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
