"""What serves where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.environment import EnvironmentRecord, read_environment


def test_an_environment_without_a_file_has_nothing_deployed(tmp_path: Path) -> None:
    assert read_environment(tmp_path / "production.json").versions == ()


def test_a_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "production.json"
    path.write_text(json.dumps({
        "schema": 1, "serving": [{"version": "v1.0.0", "share": 0.75},
                                 {"version": "v1.1.0", "share": 0.25}],
        "shadow": ["v2.0.0-rc.1"], "changed": "2026-01-02T03:04:05+00:00", "by": "ada",
        "reason": "canary",
    }))  # fmt: skip
    assert read_environment(path).versions == ("v1.0.0", "v1.1.0", "v2.0.0-rc.1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "Expecting property name"),
        ({"schema": 2}, "newer than this version reads"),
        ({"serving": [{"version": "v1.0.0", "share": 0.5}]}, "sum to 0.5, not to 1"),
        ({"serving": [{"version": "v1.0.0", "share": 1.5}]}, "serving.0.share"),
        ({"serving": [{"version": "v1.0.0", "share": 1}], "shadow": ["v1.0.0"]}, "twice"),
        ({"severs": []}, "severs"),
        ([], "valid dictionary"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "production.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError, match=r"production\.json cannot be read") as error:
        read_environment(path)
    assert said in error.value.what


@pytest.mark.parametrize(
    ("shares", "shadow", "said"),
    [
        ([], (), "nothing"),
        ([("v1.0.0", 1)], (), "v1.0.0"),
        ([("v1.0.0", 0.95), ("v1.1.0", 0.05)], (), "v1.0.0 95 %, v1.1.0 5 %"),
        ([("v1.0.0", 1)], ("v1.1.0",), "v1.0.0, v1.1.0 in the shadow"),
    ],
)
def test_what_serves_is_said_in_a_few_words(
    shares: list[tuple[str, float]], shadow: tuple[str, ...], said: str
) -> None:
    serving = [{"version": version, "share": share} for version, share in shares]
    assert EnvironmentRecord.model_validate({"serving": serving, "shadow": shadow}).says == said
