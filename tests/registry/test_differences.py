"""In what two versions differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.registry.differences import Difference, differences


def test_what_differs_is_named_and_what_does_not_is_not(
    crop_bundle: Any,
    copy_bundle: Callable[..., Path],
    replace_file: Callable[[Path, str, bytes], None],
) -> None:
    other = copy_bundle(crop_bundle)
    first = load_bundle(crop_bundle.folder)
    assert differences(first, load_bundle(other)) == []
    origin = json.loads((other / "provenance.json").read_text())
    origin["config"]["model"]["lr"] = 0.25
    del origin["config"]["data"]["batch_size"]
    origin["built_with"]["torch"] = "9.9"
    replace_file(other, "provenance.json", json.dumps(origin).encode())
    assert differences(first, load_bundle(other)) == [
        Difference("configuration", "data.batch_size", 8, None),
        Difference("configuration", "model.lr", 0.005, 0.25),
        Difference("packages", "torch", first.read_json("provenance.json")["built_with"]["torch"],
                   "9.9"),
    ]  # fmt: skip
