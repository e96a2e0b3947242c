"""Versions on a real MLflow server, and back from it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.cli import main
from deepfake_lightning.errors import BundleError, DeepfakeLightningError, MirrorError, UsageError
from deepfake_lightning.registry import Registry, Wish, register_bundle, verify_registry
from deepfake_lightning.registry.mirror.fetching import Source, fetch
from deepfake_lightning.registry.mirror.place import Names
from deepfake_lightning.registry.mirror.pushing import Mirrored, mirror
from deepfake_lightning.registry.mirror.server import open_server
from deepfake_lightning.registry.signatures import signature_files, signatures_of
from deepfake_lightning.registry.signing import sign_version
from deepfake_lightning.registry.trust import serving_bundle
from deepfake_lightning.storage import Workspace
from tests.registry.mirror.conftest import MlflowServer, deploy

pytestmark = pytest.mark.slow


def mirrored(registry: Registry, server: MlflowServer, **more: Any) -> list[Mirrored]:
    with open_server(server.uri) as opened:
        return mirror(registry, opened, names=Names(server.name, server.name), **more)


def state(server: MlflowServer) -> str:
    """Return all that the server holds, as text, with the times of changes."""
    client = server.client()
    experiment = client.get_experiment_by_name(server.name).experiment_id
    runs = [one.to_dictionary() for one in client.search_runs([experiment])]
    versions = [dict(one) for one in client.search_model_versions(f"name = '{server.name}'")]
    files = {path.relative_to(server.artifacts).as_posix(): path.stat().st_mtime_ns
             for path in server.artifacts.rglob("*") if path.is_file()}  # fmt: skip
    model = dict(client.get_registered_model(server.name))
    return json.dumps([runs, versions, files, model], default=str, sort_keys=True)


def fetched(server: MlflowServer, root: Path, version: str = "v1.0.0", **more: Any) -> Registry:
    registry = Registry(Workspace(root))
    with open_server(server.uri) as opened:
        fetch(registry, version, Source(opened, server.name, **more))
    return registry


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}  # fmt: skip


def test_there_and_back(
    registry: Registry, mlflow_server: MlflowServer, tmp_path: Path, make_key: Any, ask_signed: Any
) -> None:
    private, public = make_key("ada")
    sign_version(registry, "v1.0.0", private)
    done = mirrored(registry, mlflow_server)
    assert [(one.version, one.number, one.changed) for one in done] == [
        ("v1.0.0", "1", True), ("v1.1.0", "2", True)
    ]  # fmt: skip
    client = mlflow_server.client()
    run = client.get_run(done[1].run)
    assert run.info.status == "FINISHED" and run.info.run_name == "v1.1.0"
    entry = registry.get("v1.1.0")
    assert run.data.tags["deepfake.digest"] == entry.digest
    assert run.data.tags["deepfake.parent"] == "v1.0.0"
    assert run.data.params["model.backbone"] == "test_efficientnet"
    if entry.metrics:
        assert run.data.metrics["item/auroc"] == entry.metrics["auroc"].value
    version = client.get_model_version(mlflow_server.name, "1")
    assert version.tags["deepfake.serves"] == "production 75 %"
    assert "ada" in version.description and version.source.endswith("/bundle")
    assert client.get_model_version_by_alias(mlflow_server.name, "production").version == "1"

    before = state(mlflow_server)
    again = mirrored(registry, mlflow_server)
    assert not any(one.changed for one in again)
    assert state(mlflow_server) == before

    elsewhere = fetched(mlflow_server, tmp_path / "elsewhere")
    assert contents(elsewhere.folder("v1.0.0")) == contents(registry.folder("v1.0.0"))
    assert verify_registry(elsewhere).faults == ()
    assert elsewhere.index().history[-1].event == "register"
    ask_signed(elsewhere.workspace, public)  # the signature came along
    serving_bundle(elsewhere, "v1.0.0", "production")
    with pytest.raises(UsageError, match="registered already"):
        fetched(mlflow_server, tmp_path / "elsewhere")

    # What changes here is told; what was there stays as it was.
    deploy(registry, "production", {"v1.1.0": 1})
    sign_version(registry, "v1.1.0", private)
    later = mirrored(registry, mlflow_server)
    assert [one.changed for one in later] == [False, True]
    assert client.get_model_version_by_alias(mlflow_server.name, "production").version == "2"
    assert client.get_model_version(mlflow_server.name, "1").tags["deepfake.serves"] == ""
    assert len(signature_files(signatures_of(
        fetched(mlflow_server, tmp_path / "third", "v1.1.0").root, "v1.1.0"))) == 1  # fmt: skip
    deploy(registry, "production", {})
    mirrored(registry, mlflow_server)
    assert client.get_registered_model(mlflow_server.name).aliases == {}


def test_killed_at_any_moment_it_goes_on(
    registry: Registry, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    script = [sys.executable, str(Path(__file__).with_name("mirror_script.py")),
              str(registry.workspace.root), mlflow_server.uri, mlflow_server.name]  # fmt: skip
    random.seed(7)
    for _ in range(5):
        process = subprocess.Popen(script, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
        assert process.stdout is not None and process.stdout.readline()
        time.sleep(random.uniform(1.5, 5.0))  # most of which is the import of mlflow
        process.kill()
        process.wait()
    mirrored(registry, mlflow_server)
    assert not any(one.changed for one in mirrored(registry, mlflow_server))
    client = mlflow_server.client()
    experiment = client.get_experiment_by_name(mlflow_server.name).experiment_id
    assert len(client.search_runs([experiment])) == 2
    assert len(client.search_model_versions(f"name = '{mlflow_server.name}'")) == 2
    for version in ("v1.0.0", "v1.1.0"):
        back = fetched(mlflow_server, tmp_path / version, version)
        assert contents(back.folder(version)) == contents(registry.folder(version))


def test_a_server_that_is_restarted_in_the_middle_is_waited_for(
    registry: Registry, mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "8")  # it may take minutes to come up
    back: list[threading.Timer] = []

    def restart(what: str, done: int, total: int) -> None:
        if done == 1:  # one of two is there
            mlflow_server.stop()
            back.append(threading.Timer(2.0, mlflow_server.start))
            back[0].start()

    done = mirrored(registry, mlflow_server, progress=restart)
    back[0].join()
    assert [one.changed for one in done] == [True, True]
    assert fetched(mlflow_server, tmp_path / "elsewhere", "v1.1.0").get("v1.1.0")


def test_a_server_that_stays_away_is_told_without_its_password(
    registry: Registry, mlflow_server: MlflowServer, tmp_path: Path, capsys: Any,
    monkeypatch: pytest.MonkeyPatch, caplog: Any,
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    model = ["--model", mlflow_server.name]
    flags = [*model, "--workspace", str(registry.workspace.root),
             "--experiment", mlflow_server.name]  # fmt: skip
    uri = mlflow_server.uri.replace("http://", "http://ada:s3cret-word@")
    assert main(["registry", "mirror", "--server", uri, *flags]) == 0
    mlflow_server.stop()
    code = main(["registry", "mirror", "--server", uri, *flags])
    shown = capsys.readouterr()
    assert code == 2 and "does not answer" in shown.err and "goes on" in shown.err
    assert main(["registry", "fetch", "v1.0.0", "--server", uri, *model, "--workspace",
                 str(tmp_path / "new")]) == 2  # fmt: skip
    shown_later = capsys.readouterr()
    said = shown.out + shown.err + shown_later.out + shown_later.err + caplog.text
    assert "s3cret-word" not in said
    mlflow_server.start()
    for path in [*mlflow_server.root.glob("*.*"), *registry.root.rglob("*.json")]:
        assert b"s3cret-word" not in path.read_bytes()
    assert "s3cret-word" not in state(mlflow_server)


def test_what_the_server_has_not_is_told(
    registry: Registry, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    with pytest.raises(MirrorError, match=r"has no v1\.0\.0"):
        fetched(mlflow_server, tmp_path / "a")
    mirrored(registry, mlflow_server, versions=("v1.0.0",))
    with pytest.raises(MirrorError, match=r"has no v1\.1\.0"):
        fetched(mlflow_server, tmp_path / "a", "v1.1.0")
    with pytest.raises(MirrorError, match="with the digest 0000"):
        fetched(mlflow_server, tmp_path / "a", digest="0" * 64)
    with pytest.raises(MirrorError, match="longer than"):
        fetched(mlflow_server, tmp_path / "a", most_mb=0.1)
    assert not Registry(Workspace(tmp_path / "a")).index().entries


def test_two_detectors_of_one_name_are_told_apart(
    registry: Registry, mlflow_server: MlflowServer, tmp_path: Path, crop_bundle: Any
) -> None:
    other = Registry(Workspace(tmp_path / "other"))
    register_bundle(other, crop_bundle.folder, Wish("v1.0.0", by="eve"))
    mirrored(registry, mlflow_server)
    mirrored(other, mlflow_server)
    with pytest.raises(MirrorError, match="several detectors"):
        fetched(mlflow_server, tmp_path / "a")
    mine = registry.get("v1.0.0").digest
    assert fetched(mlflow_server, tmp_path / "a", digest=mine).get("v1.0.0").digest == mine


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def changed(server: MlflowServer) -> None:
    flip(server.files("model.safetensors")[0])


def swapped_for_another_bundle(server: MlflowServer) -> None:
    folder = server.files("SHA256SUMS")[0].parent
    flip(folder / "model.onnx")
    write_sums(folder)


def longer(server: MlflowServer) -> None:
    with server.files("model.onnx")[0].open("ab") as file:
        file.truncate(150_000_000)


def gone(server: MlflowServer) -> None:
    server.files("calibration.json")[0].unlink()


def surplus(server: MlflowServer) -> None:
    (server.files("SHA256SUMS")[0].parent / "weights.pkl").write_bytes(b"x")


def surplus_folder(server: MlflowServer) -> None:
    (server.files("SHA256SUMS")[0].parent / "code").mkdir()
    (server.files("SHA256SUMS")[0].parent / "code" / "run.py").write_text("x")


def odd_signature(server: MlflowServer) -> None:
    folder = server.files("SHA256SUMS")[0].parents[1] / "signatures"
    folder.mkdir(exist_ok=True)
    (folder / "evil.sh").write_text("x")


def names_that_lead_out(server: MlflowServer) -> None:
    import hashlib

    path = server.files("SHA256SUMS")[0]
    path.write_text(path.read_text() + f"{'0' * 64}  ../../evil\n")
    retag(server, hashlib.sha256(path.read_bytes()).hexdigest())


def too_many_names(server: MlflowServer) -> None:
    import hashlib

    path = server.files("SHA256SUMS")[0]
    lines = path.read_text().splitlines()
    lines += [f"{'0' * 64}  z{number:04}" for number in range(300)]
    path.write_text("".join(f"{one}\n" for one in sorted(lines, key=lambda one: one[66:])))
    retag(server, hashlib.sha256(path.read_bytes()).hexdigest())


def another_version_by_its_tag(server: MlflowServer) -> None:
    server.client().set_model_version_tag(server.name, "1", "deepfake.version", "v9.9.9")


def retag(server: MlflowServer, digest: str) -> None:
    server.client().set_model_version_tag(server.name, "1", "deepfake.digest", digest)


SPOILS = (
    changed, swapped_for_another_bundle, longer, gone, surplus, surplus_folder, odd_signature,
    names_that_lead_out, too_many_names, another_version_by_its_tag,
)  # fmt: skip


@pytest.fixture(scope="module")
def only_one(tmp_path_factory: Any, crop_bundle: Any) -> Registry:
    made = Registry(Workspace(tmp_path_factory.mktemp("one") / "mlops"))
    register_bundle(made, crop_bundle.folder, Wish("v1.0.0"))
    return made


def test_what_was_tampered_with_is_not_taken(
    only_one: Registry, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    mirrored(only_one, mlflow_server)
    digest = only_one.get("v1.0.0").digest
    saved = tmp_path / "saved"
    shutil.copytree(mlflow_server.artifacts, saved)
    for spoil in SPOILS:
        spoil(mlflow_server)
        root = tmp_path / spoil.__name__
        name = "v9.9.9" if spoil is another_version_by_its_tag else "v1.0.0"
        with pytest.raises((MirrorError, BundleError)) as caught:
            fetched(mlflow_server, root, name, most_mb=100)
        assert isinstance(caught.value, DeepfakeLightningError) and caught.value.next_step, spoil
        assert list(Registry(Workspace(root)).models.glob("*")) == [], spoil
        assert not list(tmp_path.rglob("evil"))
        shutil.rmtree(mlflow_server.artifacts)
        shutil.copytree(saved, mlflow_server.artifacts)
        mlflow_server.client().set_model_version_tag(
            mlflow_server.name, "1", "deepfake.version", "v1.0.0"
        )
        retag(mlflow_server, digest)
    assert fetched(mlflow_server, tmp_path / "whole").get("v1.0.0").digest == digest


def test_whoever_changes_the_digest_as_well_is_found_by_one_from_elsewhere(
    only_one: Registry, mlflow_server: MlflowServer, tmp_path: Path, make_key: Any, ask_signed: Any
) -> None:
    """And by a signature: what comes is registered, and does not serve."""
    import hashlib

    private, public = make_key("ada")
    sign_version(only_one, "v1.0.0", private)
    mirrored(only_one, mlflow_server)
    folder = mlflow_server.files("SHA256SUMS")[0].parent
    flip(folder / "model.onnx")
    write_sums(folder)
    retag(mlflow_server, hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest())
    with pytest.raises(MirrorError, match="has no"):
        fetched(mlflow_server, tmp_path / "a", digest=only_one.get("v1.0.0").digest)
    taken = fetched(mlflow_server, tmp_path / "a")
    ask_signed(taken.workspace, public)
    with pytest.raises(DeepfakeLightningError, match="not signed by a trusted key"):
        serving_bundle(taken, "v1.0.0", "production")


def test_curves_and_hyperparameters_of_a_training_arrive(
    mlflow_server: MlflowServer, faces: Path, tmp_path: Path
) -> None:
    """In a process of its own: Lightning reads the server's address when it is imported."""
    import os

    root = Path(__file__).parents[3]
    small = ["--model.backbone=test_efficientnet", "--model.pretrained=false",
             "--data.image_size=32", "--data.num_workers=0", "--data.batch_size=8",
             "--trainer.max_epochs=2", "--trainer.limit_train_batches=2", "--register=false",
             "--report=false", f"--data.root={faces}",
             f"--workspace={tmp_path / 'mlops'}"]  # fmt: skip
    configs = ["--config", "configs/b0.yaml", "--config", "configs/mlflow.yaml"]
    own = {"MLFLOW_TRACKING_URI": mlflow_server.uri}
    command = [sys.executable, "-m", "deepfake_lightning", "fit", *configs, *small]
    done = subprocess.run(command, cwd=root, env={**os.environ, **own}, capture_output=True,
                          text=True, timeout=250)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    run_folder = next((tmp_path / "mlops/runs/deepfake-detection").iterdir())
    assert (run_folder / "checkpoints/best.ckpt").is_file()
    assert list(run_folder.glob("events.out.tfevents*"))
    client = mlflow_server.client()
    experiment = client.get_experiment_by_name("deepfake-detection").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"
    assert run.data.params["backbone"] == "test_efficientnet"
    assert [one.step for one in client.get_metric_history(run.info.run_id, "val/auroc")] != []
    assert len(client.get_metric_history(run.info.run_id, "val/loss")) == 2
    mlflow_server.stop()
    own["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    away = subprocess.run(command, cwd=root, env={**os.environ, **own}, capture_output=True,
                          text=True, timeout=250)  # fmt: skip
    assert away.returncode == 2 and "does not answer" in away.stderr
    own["MLFLOW_TRACKING_URI"] = mlflow_server.uri.replace("//", "//ada:s3cret@")
    told = subprocess.run(command, cwd=root, env={**os.environ, **own}, capture_output=True,
                          text=True, timeout=250)  # fmt: skip
    assert told.returncode == 2 and "a password stands in" in told.stderr
    assert "s3cret" not in told.stderr + told.stdout
