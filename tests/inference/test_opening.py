"""Which engine is opened, and what it brings along."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import BundleError, CheckpointError, UsageError
from deepfake_lightning.inference import Engine, EngineSource, open_engine
from deepfake_lightning.media import read_image
from deepfake_lightning.storage import file_hash

HEAVY = ("torch", "lightning", "torchvision", "timm", "albumentations", "torchmetrics", "fastapi",
         "starlette", "uvicorn", "sqlalchemy")  # fmt: skip

SCRIPT = """
import json, sys
from pathlib import Path
from deepfake_lightning.inference import open_engine
bundle, *media = map(Path, sys.argv[1:])
engine = open_engine(bundle)
found = [engine.assess(path) for path in media] + [engine.assess(media[0].read_bytes())]
print(json.dumps({
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "logits": [each.logit for each in found],
}))
"""


@pytest.mark.parametrize("both", [True, False])
def test_one_of_bundle_and_checkpoint_is_needed(crop_bundle: Any, both: bool) -> None:
    given = (crop_bundle.folder, crop_bundle.checkpoint) if both else (None, None)
    with pytest.raises(UsageError, match="a bundle or of a checkpoint") as caught:
        open_engine(*given)
    assert "--bundle" in caught.value.next_step and "--ckpt_path" in caught.value.next_step


def test_auto_is_onnx_for_bundles_and_pytorch_for_the_rest(crop_bundle: Any) -> None:
    def runtime(**given: Any) -> tuple[str, str]:
        engine = open_engine(**given)
        return engine.runtime.name, engine.runtime.device

    assert runtime(bundle=crop_bundle.folder) == ("onnx", "cpu")
    assert runtime(bundle=crop_bundle.folder, runtime="torch") == ("torch", "cpu")
    assert runtime(bundle=crop_bundle.folder, precision="bf16") == ("torch", "cpu")
    assert runtime(checkpoint=crop_bundle.checkpoint) == ("torch", "cpu")


def test_an_engine_knows_what_it_was_made_of(crop_bundle: Any) -> None:
    of_bundle = open_engine(crop_bundle.folder)
    assert of_bundle.version == "v1.0.0"
    assert of_bundle.digest == load_bundle(crop_bundle.folder).digest
    assert of_bundle.is_demo is False
    of_checkpoint = open_engine(checkpoint=crop_bundle.checkpoint)
    digest = file_hash(crop_bundle.checkpoint)
    assert (of_checkpoint.version, of_checkpoint.digest) == (f"checkpoint {digest[:12]}", digest)
    assert of_checkpoint.preprocess == of_bundle.preprocess


def test_a_checkpoint_of_extracted_faces_looks_for_faces(frame_bundle: Any) -> None:
    preprocess = open_engine(checkpoint=frame_bundle.checkpoint).preprocess
    assert preprocess == open_engine(frame_bundle.folder).preprocess
    assert preprocess.input == "frame"


def test_a_bundle_that_is_not_the_one_meant_is_refused(crop_bundle: Any) -> None:
    digest = load_bundle(crop_bundle.folder).digest
    assert EngineSource(crop_bundle.folder, digest=digest).open().digest == digest
    with pytest.raises(BundleError, match="is not the bundle it was"):
        EngineSource(crop_bundle.folder, digest="0" * 64).open()


@pytest.mark.parametrize("given", [{"precision": "bf16"}, {"device": "cuda"}, {"checkpoint": 1}])
def test_onnx_runs_bundles_on_the_cpu_in_fp32(crop_bundle: Any, given: dict[str, Any]) -> None:
    source: dict[str, Any] = {"bundle": crop_bundle.folder}
    if "checkpoint" in given:
        source, given = {"checkpoint": crop_bundle.checkpoint}, {}
    with pytest.raises(UsageError, match="ONNX runs bundles, on the CPU, in fp32"):
        open_engine(**source, **given, runtime="onnx")


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps", "xpu", "nonsense", "", "meta"])
@pytest.mark.parametrize("of", ["bundle", "checkpoint"])
def test_a_device_that_is_not_there_is_named(crop_bundle: Any, device: str, of: str) -> None:
    if device and torch.device("cpu").type and _is_there(device):
        pytest.skip(f"this machine has {device}")
    path = crop_bundle.folder if of == "bundle" else crop_bundle.checkpoint
    with pytest.raises(UsageError, match=f"device '{device}' cannot be used") as caught:
        open_engine(**{of: path}, device=device)
    assert "--device" in caught.value.next_step


def _is_there(device: str) -> bool:
    try:
        return bool(torch.zeros(1, device=device).cpu().tolist() == [0.0])
    except (RuntimeError, AssertionError):
        return False


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no\.ckpt"):
        open_engine(checkpoint=tmp_path / "no.ckpt")


def test_bf16_runs_on_a_cpu_and_is_near(crop_bundle: Any, faces: Path) -> None:
    crops = [read_image(path) for path in sorted(faces.rglob("*.jpg"))[:20]]
    exact = open_engine(crop_bundle.folder).logits(crops)
    rough = open_engine(crop_bundle.folder, precision="bf16").logits(crops)
    assert rough.dtype == np.float32
    difference = np.abs(exact - rough).max()
    assert 0 < difference < 0.05 * max(1.0, float(np.abs(exact).max()))


def test_threads_change_no_score(crop_bundle: Any, faces: Path) -> None:
    crops = [read_image(path) for path in sorted(faces.rglob("*.jpg"))[:9]]
    one, two = (open_engine(crop_bundle.folder, threads=n).logits(crops) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_a_source_opens_in_other_processes(crop_bundle: Any, faces: Path) -> None:
    source = EngineSource(crop_bundle.folder, runtime="onnx")
    copied: EngineSource = pickle.loads(pickle.dumps(source))
    assert copied == source
    path = sorted(faces.rglob("*.jpg"))[0]
    assert copied.open().assess(path).logit == source.open().assess(path).logit


def test_scoring_through_onnx_brings_no_torch_and_no_server(
    frame_bundle: Any, frame_engine: Engine, photo: Callable[[int], Path], portrait_clips: Path
) -> None:
    media = [photo(1), portrait_clips / "fake/p0.mp4"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(frame_bundle.folder), *map(str, media)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not set(HEAVY) & set(found["modules"])
    assert "onnxruntime" in found["modules"]
    here = [frame_engine.assess(path).logit for path in media]
    np.testing.assert_allclose(found["logits"], [*here, here[0]], atol=1e-6)
