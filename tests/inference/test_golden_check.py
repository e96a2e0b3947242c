"""A bundle that scores otherwise than where it was built is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import BundleError
from deepfake_lightning.inference import open_engine
from deepfake_lightning.inference.golden_check import golden_difference

Copy = Callable[..., Path]
Replace = Callable[[Path, str, bytes], None]
GOLDEN = "golden/golden.json"


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_a_bundle_scores_here_as_it_did_there(
    crop_bundle: Any, frame_bundle: Any, runtime: Any
) -> None:
    for built in (crop_bundle, frame_bundle):
        bundle = load_bundle(built.folder)
        assert golden_difference(open_engine(built.folder, runtime=runtime), bundle) < 1e-4


def changed(bundle: Path, replace: Replace, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((bundle / GOLDEN).read_text())
    change(record)
    replace(bundle, GOLDEN, json.dumps(record).encode())


def check(bundle: Path) -> float:
    return golden_difference(open_engine(bundle), load_bundle(bundle))


def test_another_score_is_named(
    frame_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    bundle = copy_bundle(frame_bundle)
    picture = json.loads((bundle / GOLDEN).read_text())["pictures"][3]
    changed(bundle, replace_file, lambda r: r["pictures"][3].update(logit=picture["logit"] + 0.02))
    with pytest.raises(BundleError, match="has to give a logit of") as caught:
        check(bundle)
    assert picture["file"] in caught.value.what
    assert f"{picture['logit'] + 0.02:.4f}" in caught.value.what


def test_a_score_within_the_tolerance_passes(
    frame_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    bundle = copy_bundle(frame_bundle)
    picture = json.loads((bundle / GOLDEN).read_text())["pictures"][3]
    changed(bundle, replace_file, lambda r: r["pictures"][3].update(logit=picture["logit"] + 0.005))
    assert check(bundle) == pytest.approx(0.005, abs=1e-4)


def test_another_number_of_faces_is_named(
    frame_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    bundle = copy_bundle(frame_bundle)
    changed(bundle, replace_file, lambda r: r["pictures"][0].update(faces=2))
    with pytest.raises(BundleError, match="has to give 2 faces, and gives 1 here"):
        check(bundle)


def test_a_picture_that_lost_its_face_is_named(
    frame_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    bundle = copy_bundle(frame_bundle)
    name = json.loads((bundle / GOLDEN).read_text())["pictures"][0]["file"]
    grey = cv2.imencode(".png", np.full((256, 256, 3), 128, np.uint8))[1].tobytes()
    replace_file(bundle, name, grey)
    with pytest.raises(BundleError, match="has to give 1 faces, and gives 0 here"):
        check(bundle)


def test_other_weights_are_noticed(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace
) -> None:
    from safetensors.numpy import load, save

    bundle = copy_bundle(crop_bundle)
    state = load((bundle / "model.safetensors").read_bytes())
    state["head.bias"] = state["head.bias"] + np.array([0, 0.1], np.float32)
    replace_file(bundle, "model.safetensors", bytes(save(state)))
    with pytest.raises(BundleError, match="has to give a logit of"):
        golden_difference(open_engine(bundle, runtime="torch"), load_bundle(bundle))


BROKEN: dict[str, bytes] = {
    "not JSON": b"{",
    "a list": b"[]",
    "no pictures": b'{"schema": 1, "tolerance": 0.01}',
    "an empty list of pictures": b'{"schema": 1, "tolerance": 0.01, "pictures": []}',
    "NaN": b'{"schema": 1, "tolerance": NaN, "pictures": []}',
    "a picture without a name": b'{"schema": 1, "tolerance": 0.01, "pictures": [{"faces": 1}]}',
    "a tolerance in words": b'{"schema": 1, "tolerance": "some", "pictures": '
    b'[{"file": "golden/0_drawn.png", "faces": 1, "logit": 9.0}]}',
    "a score that is missing": b'{"schema": 1, "tolerance": 0.01, "pictures": '
    b'[{"file": "golden/0_drawn.png", "faces": 1, "logit": null}]}',
    "a picture elsewhere": b'{"schema": 1, "tolerance": 0.01, "pictures": '
    b'[{"file": "../../secret.png", "faces": 1, "logit": 0.0}]}',
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_record_that_says_nothing_does_not_pass(
    crop_bundle: Any, copy_bundle: Copy, replace_file: Replace, what: str
) -> None:
    bundle = copy_bundle(crop_bundle)
    replace_file(bundle, GOLDEN, BROKEN[what])
    with pytest.raises(BundleError):
        check(bundle)
