"""A PostgreSQL server of the tests' own: on a free port of loopback, in a folder that goes with it.

Run as ``python -m tests.postgresql_server [PID]`` it serves, says its port, and does what its
standard input says (``stop``, ``start``) until that ends, or until a process has ended: however
that ends, the server and its folder are gone a moment later.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).parent.parent
PASSWORD = "not-to-be-told"  # in every address, so that tests can look for it where it must not be
_USER = "tester"
_SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
    "shared_buffers": "32MB", "jit": "off", "fsync": "off", "full_page_writes": "off",
}  # fmt: skip
_TRIES, _SECONDS = 3, 60.0


def why_not() -> str | None:
    """Return why there is no server to test on, None where there is one."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed (the extra dev): nothing is tested on PostgreSQL"
    if _programs() is None:
        return "no PostgreSQL server is installed (initdb, postgres): nothing is tested on one"
    return None


def _programs() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "postgres").is_file()), None)


class Server:
    """A server that runs, as those who use it see it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def database(self) -> str:
        """Return the address of an empty database."""
        import psycopg

        name = f"t{uuid4().hex}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.address(name)

    def address(self, name: str) -> str:
        """Return the address of a database."""
        return f"postgresql://{_USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"


class OwnServer(Server):
    """A server that nobody else uses: it can be stopped, as by a crash, and started again."""

    def __init__(self, keeper: subprocess.Popen[str]) -> None:
        super().__init__(_port(keeper))
        self._keeper = keeper

    def stop(self) -> None:
        self._do("stop")

    def start(self) -> None:
        self._do("start")

    def _do(self, what: str) -> None:
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.stdin.write(f"{what}\n")
        self._keeper.stdin.flush()
        assert self._keeper.stdout.readline() == f"{what}\n"


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Give a server of one's own."""
    keeper = _keep(stdin=subprocess.PIPE)
    assert keeper.stdin is not None
    try:
        yield OwnServer(keeper)
    finally:
        keeper.stdin.close()
        assert keeper.wait(_SECONDS) == 0


def start_shared(user: int) -> int:
    """Start a server that lives as long as a process; return its port."""
    return _port(_keep(str(user), stdin=subprocess.DEVNULL))


def _keep(*args: str, stdin: int) -> subprocess.Popen[str]:
    # A session of its own: who presses Ctrl-C ends the tests, and they end it.
    command = [sys.executable, "-m", "tests.postgresql_server", *args]
    return subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )


def _port(keeper: subprocess.Popen[str]) -> int:
    assert keeper.stdout is not None
    said = keeper.stdout.readline()
    assert said, "the PostgreSQL server does not start: see above"
    return int(said)


class _Cluster:
    """The server itself, and its folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self.log = programs, folder / "server.log"
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if _as_user():
            for path in (folder, secret):
                shutil.chown(path, _as_user()["user"], _as_user()["group"])
        subprocess.run(
            [programs / "initdb", "-D", self._data, "-U", _USER, "--pwfile", secret,
             "-A", "scram-sha-256", "--locale=C", "-E", "UTF8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **_as_user(),
        )  # fmt: skip
        for left in range(_TRIES)[::-1]:  # another program may have taken the port since
            self.port = _free_port()
            try:
                return self.start()
            except RuntimeError:
                if not left:
                    raise

    def start(self) -> None:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port),
                 *settings],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self._data.parent,
                preexec_fn=_end_with_parent, **_as_user(),
            )  # fmt: skip
        end = time.monotonic() + _SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError), psycopg.connect(
            Server(self.port).address("postgres"), connect_timeout=5
        ):  # fmt: skip
            return True
        return False

    def code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # at once: what was committed is in its log
            self._process.wait(_SECONDS)


def _as_user() -> dict[str, Any]:
    """Return who runs the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {one.pw_name for one in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    """Ask the kernel for a quick end of the server when its keeper is killed."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGQUIT)


def _wait_for(pid: int, cluster: _Cluster) -> None:
    """Return when a process has ended; say why where the server ends before it."""
    with suppress(ProcessLookupError):
        while cluster.code() is None:
            os.kill(pid, 0)
            time.sleep(0.2)
        print(f"the PostgreSQL server of the tests has ended by itself: {cluster.code()}",
              cluster.log.read_text()[-3000:], sep="\n", file=sys.stderr, flush=True)  # fmt: skip


def main() -> None:
    """Keep a server."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit(1))
    programs = _programs()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="tests-pg-", ignore_cleanup_errors=True) as folder:
        cluster = _Cluster(programs, Path(folder))
        try:
            print(cluster.port, flush=True)
            for line in sys.stdin:
                getattr(cluster, line.strip())()
                print(line.strip(), flush=True)
            if sys.argv[1:]:
                _wait_for(int(sys.argv[1]), cluster)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
