"""Logs in real databases: an SQLite file each, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog

NOON = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC


def _programs() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


def _as_postgres() -> dict[str, Any]:
    """The server refuses to run as root."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


class Server:
    """A throw-away PostgreSQL server."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data = programs, folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._folder = folder
        self._databases = 0
        self._run("initdb", "-D", str(self._data), "-U", "tester", "-A", "trust", "--no-sync")
        self.start()

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [str(self._programs / program), *args], check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd=self._folder, timeout=60, **_as_postgres(),
        )  # fmt: skip

    def start(self) -> None:
        settings = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self._folder / "server.log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", settings, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def database(self) -> str:
        """Return the address of an empty database."""
        self._databases += 1
        name = f"log{self._databases}"
        import psycopg

        url = f"//tester@127.0.0.1:{self._port}"
        with psycopg.connect(f"postgresql:{url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql:{url}/{name}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg is not installed: no test on PostgreSQL")
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: no test on it")
    # Not below pytest's own folder, which nobody else may enter.
    folder = Path(tempfile.mkdtemp(prefix="log-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = Server(programs, folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: Any, tmp_path: Path) -> str:
    """Return where a log can be made."""
    if request.param == "sqlite":
        return str(tmp_path / "monitoring" / "predictions.db")
    return str(request.getfixturevalue("postgresql").database())


@pytest.fixture
def log(place: str) -> Iterator[PredictionLog]:
    with PredictionLog(place) as opened:
        yield opened


@pytest.fixture
def request_row() -> Callable[..., LoggedRequest]:
    """Return a function that makes a request: its number, seconds after noon, other fields."""

    def make(number: int, seconds: float = 0.0, **fields: Any) -> LoggedRequest:
        generator = random.Random(number)
        verdict = generator.choice(["manipulation_indicated", "no_indication", "inconclusive"])
        item = ItemScore(
            0, "ok", generator.gauss(0, 3), generator.random(), True, 1, 1, "v1.0.0", "ab" * 32,
            verdict=verdict, network_us=7000, brightness=generator.uniform(50, 200),
        )  # fmt: skip
        row: dict[str, Any] = {
            "id": f"r{number:05d}", "ts_us": NOON + round(seconds * 1e6), "version": "v1.0.0",
            "bundle": "ab" * 32, "route": "/v1/predict", "http_status": 200, "bytes": 1234,
            "latency_us": round(generator.lognormvariate(10, 1)), "media_type": "image",
            "verdict": verdict, "items": (item,), **fields,
        }  # fmt: skip
        return LoggedRequest(**row)

    return make
