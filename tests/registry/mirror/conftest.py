"""A real MLflow server, where there is one: ``$MLFLOW_SERVER`` or ``mlflow`` in the path."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace, write_json


class MlflowServer:
    """A server that can be stopped and started again.

    Attributes:
        uri: its address.
        root: the folder of all that it keeps.
        name: of the experiment and the model of the test that has it now.
    """

    name = ""

    def __init__(self, program: str, root: Path) -> None:
        self._program, self.root = program, root
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self._port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        own = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": "", "DO_NOT_TRACK": "true"}
        with (self.root / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "server", "--host", "127.0.0.1", "--port", str(self._port),
                 "--workers", "1", "--backend-store-uri", f"sqlite:///{self.root}/mlflow.db",
                 "--artifacts-destination", str(self.root / "artifacts")],
                stdout=log, stderr=log, cwd=self.root, start_new_session=True,
                env={**os.environ, **own},
            )  # fmt: skip
        end = time.monotonic() + 280
        while time.monotonic() < end:
            assert self._process.poll() is None, (self.root / "server.log").read_text()[-2000:]
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.uri}/health", trust_env=False).status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError("the MLflow server does not come up")

    @property
    def runs(self) -> bool:
        """Whether it does."""
        return self._process is not None

    def stop(self) -> None:
        """Kill it with all of its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def client(self) -> Any:
        import mlflow

        return mlflow.MlflowClient(self.uri, self.uri)

    @property
    def artifacts(self) -> Path:
        """Where it keeps the files of the test's experiment."""
        experiment = self.client().get_experiment_by_name(self.name).experiment_id
        return self.root / "artifacts" / str(experiment)

    def files(self, name: str) -> list[Path]:
        """Return the artifacts of the test's experiment that are called so."""
        return sorted(self.artifacts.rglob(name))


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Return a server for all tests: it takes long to come up."""
    pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")
    program = os.environ.get("MLFLOW_SERVER") or shutil.which("mlflow")
    if program is None:
        pytest.skip("no MLflow server: set MLFLOW_SERVER to the program of the full mlflow")
    server = MlflowServer(program, tmp_path_factory.mktemp("mlflow"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def mlflow_server(
    one_server: MlflowServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> MlflowServer:
    """Return a server that runs, with nothing in it of the test's name."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    one_server.name = request.node.name
    if not one_server.runs:
        one_server.start()
    return one_server


@pytest.fixture
def registry(tmp_path: Path, crop_bundle: Any) -> Registry:
    """Return a registry of two versions, the second made from the first, which serves."""
    made = Registry(Workspace(tmp_path / "mlops"))
    register_bundle(made, crop_bundle.folder, Wish("v1.0.0", reason="the first", by="ada"))
    register_bundle(made, crop_bundle.folder, Wish("v1.1.0", by="ben", parent="v1.0.0"))
    deploy(made, "production", {"v1.0.0": 0.75, "v1.1.0": 0.25})
    return made


def deploy(registry: Registry, environment: str, shares: dict[str, float]) -> None:
    serving = [{"version": name, "share": share} for name, share in shares.items()]
    record = {"schema": 1, "serving": serving, "shadow": []}
    write_json(registry.workspace.environments / f"{environment}.json", record)
