"""Files are whole or absent, also when the disk refuses and when processes race."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.storage import (
    Workspace,
    append_line,
    atomic_folder,
    atomic_new_folder,
    atomic_write,
    file_hash,
    lock,
    make_private,
    new_folder,
    write_json,
)


def start(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with atomic_write(path, "w") as file:
        file.write("old ü")
    with pytest.raises(RuntimeError), atomic_write(path, "w") as file:
        file.write("new")
        file.flush()
        assert path.read_text(encoding="utf-8") == "old ü"
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old ü"
    assert names(path.parent) == ["file.txt"]  # nothing is left lying beside it


def test_who_reads_meanwhile_reads_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        with atomic_write(path) as file:
            file.write(b"the new one")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"the new one"


def test_a_private_file_is_made_once_and_an_old_one_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    make_private(path)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"", 0o600)
    path.write_bytes(b"kept")
    path.chmod(0o640)
    make_private(path)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"kept", 0o640)
    with pytest.raises(StorageError, match="could not be made"):
        make_private(path / "below")


def test_a_written_file_can_be_read_by_others(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file") as file:
        file.write(b"x")
    assert (tmp_path / "file").stat().st_mode & 0o044 == 0o044


FULL_DISK = """
import resource, sys
from pathlib import Path
from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.storage import atomic_write
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    with atomic_write(Path(sys.argv[1])) as file:
        file.write(b"n" * 1_000_000)
except StorageError as error:
    print(error)
"""


def test_a_write_that_the_machine_refuses_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"old")
    message = output(start(FULL_DISK, path))
    assert f"{path} could not be written: File too large" in message
    assert "what was there before is intact" in message
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["best.ckpt"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "x.json"
    with pytest.raises(StorageError, match=r"x\.json could not be written"):
        write_json(inside, {})
    with pytest.raises(StorageError, match="could not be made"):
        new_folder(tmp_path / "file", "run")
    with pytest.raises(StorageError, match="cannot be locked"), lock(inside):
        pass


def test_json_is_readable_and_never_holds_nan(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"name": "Jürgen", "auroc": None})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Jürgen", "auroc": None}
    assert "ü" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"auroc": float("nan")})
    assert "Jürgen" in path.read_text(encoding="utf-8")


def test_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "file").write_bytes(data)
    assert file_hash(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_new_folder_counts_up(tmp_path: Path) -> None:
    made = [new_folder(tmp_path / "runs", "v1").name for _ in range(3)]
    assert made == ["v1", "v1_2", "v1_3"]


RACER = """
import sys
from pathlib import Path
from deepfake_lightning.storage import new_folder
print("ready", flush=True)
sys.stdin.readline()
for turn in range(250):  # few folders in each place, so that the racers stay abreast
    print(new_folder(Path(sys.argv[1], str(turn)), "run").relative_to(sys.argv[1]))
"""


def test_racing_processes_never_get_the_same_folder(tmp_path: Path) -> None:
    racers = [start(RACER, tmp_path) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    made = [name for racer in racers for name in output(racer).split()]
    assert len(made) == len(set(made)) == 1000
    assert set(made) == {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")}


HOLDER = """
import sys
from pathlib import Path
from deepfake_lightning.storage import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_excludes_another_process_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    held_by_another = pytest.raises(StorageError, match="locked by another process")
    with held_by_another as caught, lock(path, timeout=0.1):
        pytest.fail("two hold the lock")
    assert "run this one again" in caught.value.next_step
    holder.kill()  # a killed command must not lock everybody out
    holder.communicate(timeout=60)
    with lock(path, timeout=5):
        assert not path.exists()


def test_an_error_while_holding_a_lock_is_passed_on_and_frees_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), lock(tmp_path / "x"):
        raise FileNotFoundError
    with lock(tmp_path / "x", timeout=0.1):
        pass


def test_the_workspace_is_given_or_from_the_environment_or_mlops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEEPFAKE_WORKSPACE", "/srv/deepfake")
    assert Workspace.find("here").root == Path("here")
    assert Workspace.find().runs == Path("/srv/deepfake/runs")
    monkeypatch.setenv("DEEPFAKE_WORKSPACE", "")
    assert Workspace.find().root == Path("mlops")
    monkeypatch.delenv("DEEPFAKE_WORKSPACE")
    workspace = Workspace.find()
    assert workspace.data == Path("mlops/data")
    assert workspace.reports == Path("mlops/evaluation/reports")


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "set"
    with atomic_folder(path) as aside:
        (aside / "a").write_text("a")
        assert not path.exists()
    assert (path / "a").read_text() == "a"

    with pytest.raises(ValueError, match="broken"), atomic_folder(tmp_path / "other") as aside:
        (aside / "a").write_text("a")
        raise ValueError("broken")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(StorageError, match="/proc/nowhere"), atomic_folder(Path("/proc/nowhere/x")):
        pass


def test_a_new_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    for name in ("report", "report_2"):
        with atomic_new_folder(tmp_path, "report") as (folder, aside):
            (aside / "page.html").write_text("done")
            assert not (folder / "page.html").exists()
        assert folder == tmp_path / name
        assert (folder / "page.html").read_text() == "done"
    with pytest.raises(KeyboardInterrupt), atomic_new_folder(tmp_path, "report") as (_, aside):
        (aside / "page.html").write_text("half")
        raise KeyboardInterrupt
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "report_2"]


def test_the_prediction_log_is_given_or_from_the_environment_or_in_the_workspace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Workspace(Path("mlops"))
    monkeypatch.delenv("DEEPFAKE_LOG", raising=False)
    assert place.prediction_log() == Path("mlops/monitoring/predictions.db")
    monkeypatch.setenv("DEEPFAKE_LOG", "postgresql://watch@db/log")
    assert place.prediction_log() == "postgresql://watch@db/log"
    assert place.prediction_log("own.db") == "own.db"
    with pytest.raises(UsageError, match="--log is empty"):
        place.prediction_log(" ")
    monkeypatch.setenv("DEEPFAKE_LOG", "")
    assert place.prediction_log() == Path("mlops/monitoring/predictions.db")


def test_a_line_is_appended_after_the_end_of_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_line(path, {"a": "\u00e9\udc80"})  # a name that is no UTF-8
    with path.open("ab") as file:
        file.write(b'{"torn": ')
    append_line(path, {"b": 2})
    first, torn, last = path.read_bytes().splitlines()
    assert (first, torn) == (b'{"a": "\xc3\xa9\xed\xb2\x80"}', b'{"torn": ')
    assert json.loads(last) == {"b": 2}
    with pytest.raises(StorageError, match="could not be written"):
        append_line(tmp_path, {})
