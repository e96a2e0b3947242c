"""What tests of the server look at from outside: raw answers, processes, memory, files."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """An answer as it came over the wire; ``status`` is 0 where none came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def talk(
    address: tuple[str, int], *parts: bytes, seconds: float = 10.0, close: bool = False
) -> Answer:
    """Send bytes as they are, and return the first answer."""
    with socket.create_connection(address, timeout=seconds) as client:
        try:
            for part in parts:
                client.sendall(part)
            if close:
                client.shutdown(socket.SHUT_WR)
        except OSError:  # the server may have hung up; what it said before can be read
            pass
        return read_answer(client)


def read_answer(client: socket.socket) -> Answer:
    """Return the next answer of a connection."""
    data = b""
    try:
        while not data.endswith(_HEAD_END) and (more := client.recv(1)):  # no more than this one
            data += more
        head, _, rest = data.partition(_HEAD_END)
        if not head:
            return Answer(0, {}, b"")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in lines)}  # fmt: skip
        wanted, body = int(headers.get("content-length", 1 << 30)), bytearray(rest)
        while len(body) < wanted and (more := client.recv(min(65536, wanted - len(body)))):
            body += more
    except ConnectionError:
        return Answer(0, {}, b"")
    return Answer(int(first.split()[1]), headers, bytes(body))


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Return a request with a body, ready to be sent."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + _HEAD_END + body


def check_refusal(status: int, headers: Any, record: Any) -> str:
    """Assert that an answer has the shape of all refusals; return its code."""
    assert status in {400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 503}, record
    assert record.keys() == {"error", "request_id"}
    assert record["error"].keys() == {"code", "message", "next"}
    assert all(record["error"].values())
    assert re.fullmatch("[0-9a-f]{32}", record["request_id"])
    assert headers["x-request-id"] == record["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    return str(record["error"]["code"])


def processes() -> dict[int, int]:
    """Return this process and all below it, each with its parent."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rpartition(")")[2].split()[1]
                )
            except (OSError, IndexError):
                continue
    found, more = {os.getpid(): 0}, True
    while more:
        below = {pid: parent for pid, parent in parents.items()
                 if parent in found and pid not in found}  # fmt: skip
        found |= below
        more = bool(below)
    return found


def decoders() -> list[int]:
    """Return the processes that decode: what a fork server began for this process."""
    return [
        pid for pid, parent in processes().items()
        if os.getpid() not in (pid, parent) and _is_forked(pid)
    ]  # fmt: skip


def _is_forked(pid: int) -> bool:
    """Return whether a fork server began it: other tests in this process start other servers."""
    try:
        return b"multiprocessing.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


def memory_mb(pids: Iterable[int] | None = None) -> float:
    """Return what processes use, shared pages divided (PSS), in MB; all of this tree by default."""
    total = 0
    for pid in processes() if pids is None else pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
    return total / 1000


def open_files(pid: int | str = "self") -> int:
    """Return how many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def uploads_left(workspace: Path) -> list[str]:
    """Return the uploads that lie in a server's workspace."""
    folder = workspace / "serving"
    places = ("uploads", "jobs/uploads", "jobs/overlays")
    files = [file for place in places for file in (folder / place).rglob("*") if file.is_file()]
    return [str(file) for file in files if file.name != "lock"]


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)
