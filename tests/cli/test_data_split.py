"""``data split`` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.data.demo import make_demo
from deepfake_lightning.data.splits import with_splits
from deepfake_lightning.schemas import Manifest, read_manifest, write_manifest
from deepfake_lightning.schemas.manifest import METADATA

SHARES = {"train": 0.7, "val": 0.1, "calib": 0.05, "test": 0.15}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as ``data demo`` leaves it, with fewer and shorter clips."""
    out = tmp_path_factory.mktemp("demo") / "set"
    rows = make_demo(out, identities=12, clips=1, frames=1)
    write_manifest(Manifest(rows, out, out), out / "manifest.csv")
    return out


@pytest.fixture
def tied(tmp_path: Path, make_rows: Any) -> Path:
    """Return a manifest in which every person is swapped with every other."""
    pairs = [(one, other) for one in range(30) for other in range(30)]
    rows = make_rows(
        len(pairs),
        label=[int(one != other) for one, other in pairs],
        group_id=[f"p{one}" for one, _ in pairs],
        target_id=[f"p{one}" for one, _ in pairs],
        source_id=[None if one == other else f"p{other}" for one, other in pairs],
        method=[None if one == other else "a method of a long name" for one, other in pairs],
    )  # fmt: skip
    path = tmp_path / "tied/manifest.csv"
    write_manifest(Manifest(rows, path.parent, path), path)
    return path


def metadata(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path.parent / METADATA).read_text())
    return found


def test_the_demo_is_split_and_fit_takes_it(demo: Path, capsys: Any) -> None:
    before = (demo / "manifest.csv").read_bytes(), (demo / METADATA).read_bytes()
    assert main(["data", "split", str(demo), "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    assert before == ((demo / "manifest.csv").read_bytes(), (demo / METADATA).read_bytes())
    out = demo.with_name("set_split") / "manifest.csv"
    assert f"next: deepfake-lightning extract {out} --out {out.parent}_faces" in shown
    manifest = read_manifest(out)
    assert manifest.root == demo.resolve()  # the media stay where they are
    assert manifest.policy == metadata(out)["policy"] == "group"
    assert metadata(out)["split_seed"] == 3
    taken, drawn = with_splits(manifest, SHARES, 0)
    assert not drawn
    pd.testing.assert_frame_equal(taken.rows, manifest.rows)
    sizes = manifest.rows["split"].value_counts(normalize=True)
    assert set(sizes.index) == {"train", "val", "calib", "test", "gate"}


def test_people_are_split_and_the_cost_is_told(tied: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page, out = tied.parent.parent / "page.html", tied.parent.parent / "out.parquet"
    assert main(["data", "split", str(tied), "--out", str(out), "--page", str(page)]) == 0
    shown = capsys.readouterr().out
    table = shown[: shown.index(str(out))].splitlines()
    assert max(map(len, table)) <= 80
    assert "quarantine" in shown
    assert "people are split and not groups, as its largest group holds 100%" in shown
    assert "of 870 media of two people are kept" in shown
    assert f"next: deepfake-lightning fit --config configs/lite0.yaml --data.root {out}" in shown
    assert read_manifest(out).policy == "identity"
    assert "share kept" in page.read_text()


def test_json_alone_is_on_stdout(tied: Path, capsys: Any) -> None:
    flags = ["--unit", "group", "--shares", '{"train": 1.0}', "--json", "true"]
    assert main(["data", "split", str(tied), *flags]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["policy"] == "group"
    assert record["out"] == str(tied.parent.with_name("tied_split") / "manifest.csv")
    assert [(line["split"], line["label"], line["rows"]) for line in record["splits"]] == [
        ("train", "real", 30), ("train", "fake", 870),
    ]  # fmt: skip


def test_shares_are_flags(tied: Path, capsys: Any) -> None:
    flags = ["--shares.train", "0.8", "--shares.test", "0.2"]
    assert main(["data", "split", str(tied), *flags]) == 0
    out = tied.parent.with_name("tied_split") / "manifest.csv"
    assert set(read_manifest(out).rows["split"]) == {"train", "test", "quarantine"}


def test_nothing_is_replaced_unasked(tied: Path, capsys: Any) -> None:
    before = tied.read_bytes()
    assert main(["data", "split", str(tied), "--out", str(tied)]) == 2
    error = capsys.readouterr().err
    assert "exists already" in error
    assert "--overwrite true" in error
    assert main(["data", "split", str(tied), "--out", str(tied.with_name("other.csv"))]) == 2
    assert "holds another manifest" in capsys.readouterr().err
    assert tied.read_bytes() == before
    assert main(["data", "split", str(tied), "--out", str(tied), "--overwrite", "true"]) == 0
    assert read_manifest(tied).rows["split"].notna().all()


def test_a_protocol_is_recorded(demo: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "left_out"
    flags = ["--out", str(out), "--protocol", "leave-one-method-out:swap"]
    assert main(["data", "split", str(demo), *flags]) == 0
    policy = metadata(out / "manifest.csv")["policy"]
    assert policy == "leave-one-method-out:swap, by group"
    assert policy in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--protocol", "leave-one-method-out:x"], "no method 'x'"),
        (["--protocol", "official"], "has no official splits"),
        (["--shares.train", "0.5"], "add up to 0.5"),
        (["--unit", "person"], "unit"),
        (["--sed", "1"], "--seed"),
    ],
)
def test_what_cannot_be_is_refused(
    demo: Path, tmp_path: Path, capsys: Any, flags: list[str], message: str
) -> None:
    out = tmp_path / "out"
    assert main(["data", "split", str(demo), "--out", str(out), *flags]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
