"""A detector is timed, for real."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_lightning.errors import BundleError, DataError, UsageError
from deepfake_lightning.inference import EngineSource
from deepfake_lightning.inference.benchmark import BenchmarkRecord, Plan, measure
from deepfake_lightning.storage import file_hash

ONNX = Plan(runtimes=("onnx",), batches=(1,), seconds=0.01, clips=0)


@pytest.fixture(scope="module")
def media(portrait_clips: Path, tmp_path_factory: Any) -> Path:
    """Return two clips with faces, one without, one that cannot be read, and a picture."""
    folder = tmp_path_factory.mktemp("timed") / "mixed"
    folder.mkdir()
    for name in ("real/p0.mp4", "fake/two.mp4", "real/none.mp4", "real/broken.mp4"):
        shutil.copy(portrait_clips / name, folder)
    return folder


@pytest.fixture(scope="module")
def record(crop_bundle: Any, media: Path) -> BenchmarkRecord:
    """Return a benchmark of both runtimes, two batches, clips, and two processes. Read it only."""
    plan = Plan(batches=(1, 3), seconds=0.05, workers=2, price=3.6)
    return measure(
        EngineSource(bundle=crop_bundle.folder), plan, data=str(media),
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip


def test_there_is_a_row_for_each(record: BenchmarkRecord) -> None:
    rows = [(row.runtime, row.batch, row.size, row.exported) for row in record.network]
    assert rows == [("onnx", 1, 32, False), ("onnx", 3, 32, False), ("torch", 1, 32, False),
                    ("torch", 3, 32, False)]  # fmt: skip
    for row in record.network:
        assert row.calls >= 30 and len(row.rounds_ms) == 5
        assert 0 < row.p50_ms <= row.p95_ms <= row.p99_ms
        assert min(row.rounds_ms) <= row.p50_ms <= max(row.rounds_ms)
        assert row.pictures_per_second <= 1000 * row.batch / min(row.rounds_ms) * 2
        assert row.cost_per_1000 == pytest.approx(1 / row.pictures_per_second)
        assert row.threads == 1 and row.precision == "fp32" and row.cores_busy > 0
        assert row.spread == pytest.approx(np.ptp(row.rounds_ms) / np.median(row.rounds_ms))
    found = record.row("torch", 3)
    assert found is record.network[3] and record.row("torch", 3, 64) is None


def test_pytorch_takes_more_memory(record: BenchmarkRecord) -> None:
    """Each row's is its own: that of ONNX holds no PyTorch."""
    onnx, torch = (record.row(name, 1) for name in ("onnx", "torch"))  # type: ignore[arg-type]
    assert onnx is not None and torch is not None
    assert torch.peak_memory_mb > onnx.peak_memory_mb + 100  # type: ignore[operator]
    assert torch.peak_gpu_memory_mb is None


def test_all_rows_are_of_one_network(record: BenchmarkRecord) -> None:
    (same,) = record.same_network
    assert (same.size, same.rows, same.pictures) == (32, 4, 8)
    assert same.logit <= 1e-4


def test_the_parts_of_a_clip_are_the_whole(record: BenchmarkRecord) -> None:
    (row,) = record.media
    parts = row.parts.model_dump()
    assert sum(parts.values()) == pytest.approx(row.seconds, rel=1e-9)
    assert min(parts.values()) > 0
    assert (row.media_type, row.items, row.without_face, row.unreadable) == ("video", 3, 1, 1)
    assert row.timed % 3 == 0 and row.source == "mixed" and not row.drawn
    assert row.frames == 12 and row.faces == pytest.approx(12)  # 1 face, 2 and none
    assert (row.width, row.height, row.length_seconds) == ((192, 256), (144, 144), (1.0, 1.0))
    assert row.per_second == pytest.approx(1 / row.seconds)
    assert row.p50_ms <= row.p95_ms <= row.p99_ms
    assert row.workers == 2 and row.per_second_with_workers is not None
    fastest = max(row.per_second, row.per_second_with_workers)
    assert row.cost_per_1000 == pytest.approx(1 / fastest)


def test_the_record_can_be_kept(record: BenchmarkRecord, crop_bundle: Any) -> None:
    kept = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert BenchmarkRecord.model_validate(kept) == record
    assert (kept["schema"], kept["created"]) == (1, "2026-01-02T00:00:00Z")
    assert (kept["kind"], kept["version"], kept["size"]) == ("bundle", "v1.0.0", 32)
    files = [path for path in crop_bundle.folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    assert kept["size_mb"] == pytest.approx(size, abs=0.01)
    assert kept["price_per_hour"] == 3.6 and kept["device"]["cores"] >= 1
    assert any("cost: price / 3600 / rate * 1000" in note for note in kept["notes"])


@pytest.mark.slow
def test_a_checkpoint_and_other_sizes_are_exported(crop_bundle: Any) -> None:
    source = EngineSource(checkpoint=crop_bundle.checkpoint)
    found = measure(source, ONNX.model_copy(update={"sizes": (32, 48)}))
    assert (found.kind, found.digest) == ("checkpoint", file_hash(crop_bundle.checkpoint))
    assert [(row.size, row.exported) for row in found.network] == [(32, True), (48, True)]
    assert found.network[0].cost_per_1000 is None and found.media == ()
    assert any("made for 32 px" in note for note in found.notes)


SCRIPT = """
import json, sys
from pathlib import Path
from deepfake_lightning.inference import EngineSource
from deepfake_lightning.inference.benchmark import Plan, measure
def main():
    plan = Plan(runtimes=("onnx",), batches=(1,), seconds=0.01, clips=1)
    found = measure(EngineSource(bundle=Path(sys.argv[1])), plan, data=sys.argv[2])
    assert found.media[0].media_type == "image" and found.media[0].length_seconds is None
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_onnx_and_pictures_need_no_torch(crop_bundle: Any, faces: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(crop_bundle.folder), str(faces / "real")]
    made = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert made.returncode == 0 and made.stderr == "", made.stderr
    assert not {"torch", "lightning", "timm", "albumentations"} & set(json.loads(made.stdout))


@pytest.mark.parametrize(
    ("change", "source", "said"),
    [
        ({}, {"device": "cuda"}, "would have no part"),
        ({}, {"precision": "bf16"}, "would have no part"),
        ({}, {"threads": 0}, "threads is 0"),
        ({"batches": ()}, {}, "neither the network nor media"),
        ({"workers": 2}, {}, "no clips are to be timed"),
        ({"batches": tuple(range(1, 26))}, {}, "25 rows are asked for"),
    ],
)
def test_settings_that_cannot_work(
    crop_bundle: Any, change: dict[str, Any], source: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        measure(EngineSource(crop_bundle.folder, **source), ONNX.model_copy(update=change))


def test_what_cannot_be_timed(crop_bundle: Any, copy_bundle: Any, media: Path) -> None:
    with pytest.raises(UsageError, match="a bundle or a checkpoint"):
        measure(EngineSource(), ONNX)
    clips = Plan(batches=(), runtimes=("onnx",), seconds=0.01)
    with pytest.raises(DataError, match=r"broken\.mp4 holds nothing that can be read"):
        measure(EngineSource(crop_bundle.folder), clips, data=str(media / "broken.mp4"))
    changed = copy_bundle(crop_bundle)
    (changed / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        measure(EngineSource(changed), ONNX)
