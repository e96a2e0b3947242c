"""``extract`` and ``predict`` on a Ray: one of its processes is killed, the bytes are the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,  # a cluster takes seconds to start
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]

MARK = "DEEPFAKE_TEST_MARK"


class Command:
    """A command in a process of its own, whose processes are known by a variable."""

    def __init__(self, *args: object, program: str = "deepfake_lightning", **more: str) -> None:
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, MARK: self.mark, "OMP_NUM_THREADS": "1", **more}
        environment.pop("RAY_ADDRESS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, *map(str, args)], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def processes(self) -> dict[int, str]:
        """Return the command lines of all processes that it has started, however indirectly."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (place / "environ").read_bytes():
                    line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(place.name)] = line
        return found

    def kill_a_worker(self, has_begun: Callable[[], bool]) -> None:
        """Kill one of two processes that do jobs, in the middle."""
        end = time.monotonic() + 120
        while not has_begun():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        workers = [pid for pid, line in self.processes().items() if line.startswith("ray::_Worker")]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        assert self.process.poll() is None

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, out, err

    def assert_gone(self) -> None:
        """Check that none of its processes is left."""
        end = time.monotonic() + 90  # Ray's agents try to reach its head for 60 s
        while left := self.processes():
            assert time.monotonic() < end, left
            time.sleep(0.1)


@pytest.fixture
def start() -> Iterator[Callable[..., Command]]:
    """Return a function that starts a command; what is left of it is killed."""
    started: list[Command] = []

    def begin(*args: object, **more: str) -> Command:
        started.append(Command(*args, **more))
        return started[-1]

    yield begin
    for one in started:
        for pid in one.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def many(portrait_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 120 clips and two that have no face or cannot be read."""
    root = tmp_path_factory.mktemp("many") / "set"
    for copy in range(6):
        for kind in ("real", "fake"):
            for number in range(10):
                target = root / kind / f"c{copy}" / f"p{number}.mp4"
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(portrait_clips / kind / f"p{number}.mp4", target)
    for name in ("none.mp4", "broken.mp4"):
        shutil.copy(portrait_clips / "real" / name, root / "real" / name)
    return root


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def lines(said: str) -> list[str]:
    """Return what is said but for how far it is, which comes with time."""
    return [line for line in said.splitlines() if not line.startswith("extracting:")]


def there_are(pictures: int, folder: Path) -> bool:
    return len(list(folder.rglob("*.jpg"))) >= pictures


def test_extraction(many: Path, tmp_path: Path, start: Any) -> None:
    flags = ["--sampling", "even:4", "--size", "64", "--workers", "2"]
    local = start("extract", many, "--out", tmp_path / "local", *flags)
    code, said, _ = local.end()
    assert code == 0
    began = set(Path(tempfile.gettempdir()).glob("deepfake-ray-*"))
    ray = start("extract", many, "--out", tmp_path / "ray", *flags, "--engine", "ray")
    ray.kill_a_worker(partial(there_are, 40, tmp_path / "ray/crops"))
    code, out, err = ray.end()
    assert (code, err) == (0, "")
    # Neither a word of Ray's nor anything else that the local engine does not say.
    assert lines(out.replace(str(tmp_path / "ray"), str(tmp_path / "local"))) == lines(said)
    assert content(tmp_path / "ray") == content(tmp_path / "local")
    ray.assert_gone()
    assert set(Path(tempfile.gettempdir()).glob("deepfake-ray-*")) <= began


def test_scoring(crop_bundle: Any, many: Path, tmp_path: Path, start: Any) -> None:
    tables = {}
    for engine in ("local", "ray"):
        place = tmp_path / engine
        flags = ["--bundle", crop_bundle.folder, "--workers", 2, "--engine", engine]
        command = start("predict", many, "--out", place / "a.csv", "--overlay", place / "drawn",
                        *flags)  # fmt: skip
        if engine == "ray":
            command.kill_a_worker(partial(there_are, 10, place / "drawn"))
        code, _, err = command.end()
        assert (code, err) == (3, "")  # one file cannot be read
        command.assert_gone()
        tables[engine] = content(place)
    assert len(tables["local"]) == 2 + 120
    assert tables["ray"] == tables["local"]


def test_a_killed_command_takes_its_ray_along(many: Path, tmp_path: Path, start: Any) -> None:
    ray = start("extract", many, "--out", tmp_path / "out", "--engine", "ray", "--workers", "1")
    end = time.monotonic() + 120
    while not there_are(1, tmp_path / "out/crops"):
        assert ray.process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    ray.process.kill()
    ray.process.communicate()
    ray.assert_gone()


def test_a_lost_machine_costs_no_file(many: Path, tmp_path: Path, start: Any) -> None:
    """Two nodes of a real cluster; all processes of the second are killed at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2}
    cluster = {"program": "ray.scripts.scripts", **secret}
    one = ("--num-cpus", 1, "--disable-usage-stats", "--block")
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # paths of sockets are short
    head = start("start", "--head", "--port", port, "--include-dashboard", "false", "--temp-dir",
                 folder, *one, **cluster)  # fmt: skip
    wait_for(head, "raylet/raylet")
    lost = start("start", "--address", f"{own_address()}:{port}", *one, **cluster)
    wait_for(lost, "raylet/raylet")
    flags = ["--sampling", "even:4", "--size", "64", "--workers", "2", "--json", "true"]
    address = ["--engine", "ray", "--ray_address", f"{own_address()}:{port}"]
    ray = start("extract", many, "--out", tmp_path / "ray", *flags, *address, **secret)
    end = time.monotonic() + 120
    while not there_are(20, tmp_path / "ray/crops"):
        assert ray.process.poll() is None and time.monotonic() < end, ray.process.communicate()
        time.sleep(0.02)
    at_work = [line for line in lost.processes().values() if line.startswith("ray::_Worker")]
    assert len(at_work) == 1
    for pid in lost.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    code, out, err = ray.end()
    assert (code, err) == (0, "")
    assert json.loads(out)["done_now"] == 122
    local = start("extract", many, "--out", tmp_path / "local", *flags)
    assert local.end()[0] == 0
    assert content(tmp_path / "ray") == content(tmp_path / "local")
    head.process.terminate()
    head.assert_gone()
    shutil.rmtree(folder)


def own_address() -> str:
    """Return where Ray listens: it takes no address of loopback for a cluster's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))  # nothing is sent
        return str(asked.getsockname()[0])


def wait_for(command: Command, part: str) -> None:
    """Wait until one of its processes is called so, and a moment longer."""
    end = time.monotonic() + 120
    while not any(part in line for line in command.processes().values()):
        assert command.process.poll() is None, command.process.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)
    time.sleep(10)
