"""Two processes share an epoch's pairs between them, and split none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("pairs_ddp_script.py")


@pytest.mark.slow
def test_two_processes_share_the_pairs(faces: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(faces), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"},
        cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert len(ranks[0]) == len(ranks[1]) == 2 * 5  # two epochs of 20 pairs, 2 in a batch
    for epoch in (0, 1):
        rows: list[int] = []
        for batch in (batch for seen in ranks for batch in seen if batch["epoch"] == epoch):
            assert batch["label"] == [0, 1, 0, 1]
            assert batch["row"][::2] == batch["row"][1::2]
            rows += batch["row"][::2]
        assert len(set(rows)) == len(rows) == 20
    first, second = ([b["row"] for b in ranks[0] if b["epoch"] == epoch] for epoch in (0, 1))
    assert first != second  # the epoch is told to each process
