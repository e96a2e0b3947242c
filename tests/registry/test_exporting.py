"""A version leaves the registry as a whole bundle."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import BundleError, UsageError
from deepfake_lightning.registry import Registry, register_bundle
from deepfake_lightning.registry.exporting import export_version


@pytest.mark.parametrize("name", ["folder", "v1.tar", "v1.tar.gz", "v1.tgz"])
def test_what_leaves_is_what_is_there(
    registry: Registry, crop_bundle: Any, tmp_path: Path, name: str
) -> None:
    entry = register_bundle(registry, crop_bundle.folder)
    out = tmp_path / "out" / name
    assert export_version(registry, "latest", out) == entry.digest
    folder = out
    if name != "folder":
        with tarfile.open(out) as archive:
            archive.extractall(tmp_path / "in", filter="data")
            assert {(one.uid, one.uname) for one in archive.getmembers()} == {(0, "")}
        folder = tmp_path / "in" / "v1.0.0"
    assert load_bundle(folder).digest == entry.digest
    # What any machine has can check it.
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


def test_an_export_replaces_nothing_and_copies_nothing_damaged(
    registry: Registry, crop_bundle: Any, tmp_path: Path
) -> None:
    register_bundle(registry, crop_bundle.folder)
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(UsageError, match="exists already"):
        export_version(registry, "v1.0.0", taken)
    (registry.folder("v1.0.0") / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="damaged"):
        export_version(registry, "v1.0.0", tmp_path / "new.tar")
    assert not (tmp_path / "new.tar").exists()
