"""``fit``, ``validate`` and ``test`` on two processes, as typed: with the numbers of one.

The network has no batch normalisation, whose statistics are each process's own
(``trainer.sync_batchnorm`` shares them on GPUs), and no dropout, which each process draws.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ONE = ["--trainer.accelerator=cpu", "--trainer.devices=1", "--data.batch_size=16"]
TWO = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp",
       "--data.batch_size=8"]  # fmt: skip
SAME = ["--model.backbone=test_convnext", "--model.drop_rate=0", "--model.optimizer=sgd",
        "--model.lr=0.02", "--model.schedule=constant", "--data.augment=true",
        "--trainer.num_sanity_val_steps=0"]  # fmt: skip
FAULT = """
import os
from lightning.pytorch import Callback
from deepfake_lightning.errors import DataError

class Fault(Callback):
    def on_train_batch_start(self, trainer, module, batch, number):
        if trainer.global_rank == 1 and trainer.global_step == 2:
            raise DataError("the disk of process 1 has a hole", next_step="mend it")
"""
SLOW = """
import time
from lightning.pytorch import Callback

class Slow(Callback):
    def on_train_batch_start(self, trainer, module, batch, number):
        time.sleep(0.1)
"""


class Command:
    """A command in a session of its own, which may be killed in part."""

    def __init__(self, verb: str, *flags: str, program: tuple[str, ...] = ()) -> None:
        self.out = Path(f"{verb}.{time.monotonic_ns()}.log")
        command = [sys.executable, *(program or ("-m", "deepfake_lightning")), verb, *flags]
        with self.out.open("w") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def wait(self, code: int = 0, seconds: float = 600) -> str:
        """Wait for its end and return what it said."""
        assert self.process.wait(seconds) == code, self.out.read_text()[-4000:]
        return self.out.read_text()

    def alive(self) -> list[int]:
        """Return the processes that are left of it, the first one first."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(folder.name))
        return sorted(found, key=lambda pid: (pid != self.process.pid, pid))

    def until(self, true: Callable[[], Any], seconds: float = 600) -> Any:
        end = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < end, self.out.read_text()[-4000:]
            time.sleep(0.05)
        return found

    def destroy(self) -> None:
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start() -> Iterator[Callable[..., Command]]:
    """Return a function that starts a command; what is left of it in the end is killed."""
    started: list[Command] = []

    def begin(*args: str, **options: Any) -> Command:
        started.append(Command(*args, **options))
        return started[-1]

    yield begin
    for one in started:
        one.destroy()


@pytest.fixture
def flags(tmp_path: Path, tiny_flags: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Return a function that gives the flags of ``fit`` into a workspace of a name."""
    return lambda name, *more: [*tiny_flags(tmp_path / name), *SAME, *more]


def run_of(name: str) -> Path:
    (run,) = Path(name, "runs/deepfake-detection").iterdir()
    return run


def record_of(name: str) -> dict[str, Any]:
    return dict(json.loads((run_of(name) / "run.json").read_text()))


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    content = torch.load(path, weights_only=True)
    return dict(content["state_dict"])


def assert_same_weights(one: Path, other: Path, atol: float = 1e-5) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=atol, rtol=1e-4, msg=name)


def predictions_in(folder: Path) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "predictions.parquet")
    assert not rows.duplicated(["path", "track_id", "frame"]).any()
    return rows.drop(columns="logit").assign(logit=rows["logit"].astype(float))


def test_two_processes_train_and_measure_as_one_does(start: Any, flags: Any) -> None:
    splits = "--data.splits={train: 0.5, val: 0.2, calib: 0.1, test: 0.2}"
    more = ["--trainer.max_epochs=3", "--register=true", "--report=true", splits,
            "--trainer.enable_progress_bar=true"]  # fmt: skip
    said = {}
    for name, how in (("one", ONE), ("two", TWO)):
        said[name] = start("fit", *flags(name, *more, *how)).wait()
    one, two = record_of("one"), record_of("two")
    for key in ("status", "epochs", "stop_reason", "registered"):
        assert two[key] == one[key]
    assert one["registered"] == "v1.0.0"
    assert two["best_score"] == pytest.approx(one["best_score"], abs=1e-6)
    assert two["metrics"].keys() == one["metrics"].keys()
    for key, value in one["metrics"].items():
        if key != "train/loss_step":  # of process 0 alone, and a mean is logged
            assert two["metrics"][key] == pytest.approx(value, abs=1e-4), key
    for name in ("best", "last"):
        assert_same_weights(*(run_of(of) / f"checkpoints/{name}.ckpt" for of in ("one", "two")))

    # What is said and written by one of the two, is so once.
    for once in ("epoch 1/3", "epoch 3/3", "best checkpoint", "registered as"):
        assert said["two"].count(once) == said["one"].count(once) == 1, said["two"]
    assert "2 x cpu" in said["two"]
    assert "Traceback" not in said["two"] and "Warning" not in said["two"], said["two"]
    for folder in ("registry/models", "evaluation/reports", "runs/deepfake-detection"):
        assert names(Path("two", folder)) == names(Path("one", folder))
    bundles = [Path(name, "registry/models/v1.0.0") for name in ("one", "two")]
    known, found = (json.loads((b / "calibration.json").read_text()) for b in bundles)
    assert_close(found, known)
    (val, _), (same, _) = (sorted(Path(n, "evaluation/reports").iterdir()) for n in ("one", "two"))
    assert_same_predictions(val, same)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_close(found: Any, known: Any, way: str = "") -> None:
    """Compare records; hashes and times of two trainings differ."""
    if isinstance(known, dict):
        assert found.keys() == known.keys(), way
        for key in known:
            assert_close(found[key], known[key], f"{way}.{key}")
    elif isinstance(known, list):
        assert len(found) == len(known), way
        for number, one in enumerate(known):
            assert_close(found[number], one, f"{way}[{number}]")
    elif isinstance(known, float):
        assert found == pytest.approx(known, abs=1e-3), way
    elif not isinstance(known, str):
        assert found == known, way


def assert_same_predictions(one: Path, other: Path, atol: float = 1e-4) -> None:
    first, second = predictions_in(one), predictions_in(other)
    same = [name for name in first if name not in ("logit", "version")]
    pd.testing.assert_frame_equal(second[same], first[same])
    np.testing.assert_allclose(second["logit"], first["logit"], atol=atol)


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_two_processes_score_each_item_once(
    start: Any, trained: Any, tmp_path: Path, verb: str
) -> None:
    checkpoint = f"--ckpt_path={trained.result.best_checkpoint}"
    said = {}
    for name, how in (("one", ONE), ("two", [*TWO[:-1], "--data.batch_size=7"])):
        place = f"--workspace={tmp_path / name}"
        said[name] = start(verb, checkpoint, place, *how).wait()
    (first,), (second,) = (list(Path(n, "evaluation/reports").iterdir()) for n in ("one", "two"))
    assert_same_predictions(first, second, atol=1e-5)
    tables = [text.partition("report:")[0] for text in said.values()]
    assert tables[0] == tables[1]
    looks = Path("two/evaluation/looks.jsonl")
    assert looks.is_file() == (verb == "test")
    if verb == "test":
        assert len(looks.read_text().splitlines()) == 1


def test_early_stopping_and_resuming_agree(start: Any, flags: Any) -> None:
    stop = ["--early_stopping.patience=1", "--early_stopping.min_delta=10"]
    for name, how in (("one", ONE), ("two", TWO)):
        start("fit", *flags(name, *stop, *how)).wait()
        assert record_of(name)["status"] == "stopped early"
    assert record_of("one")["epochs"] == record_of("two")["epochs"] == 2

    # One process, then two, then one, is as one all the time.
    start("fit", *flags("whole", "--trainer.max_epochs=3", *ONE)).wait()
    start("fit", *flags("parts", "--trainer.max_epochs=1", *ONE)).wait()
    last = run_of("parts") / "checkpoints/last.ckpt"
    for epochs, how in ((2, TWO), (3, ONE)):
        again = [f"--ckpt_path={last}", "--workspace=parts", f"--trainer.max_epochs={epochs}", *how]
        start("fit", *again).wait()
        assert record_of("parts")["epochs"] == epochs
    assert_same_weights(run_of("whole") / "checkpoints/last.ckpt", last)


def begin_slowly(start: Any, flags: Any, name: str) -> Command:
    """Start a long training on two processes, and return it once it is under way."""
    Path("slow.py").write_text(SLOW)
    more = ["--trainer.max_epochs=500", "--trainer.callbacks+=slow.Slow",
            "--trainer.enable_progress_bar=true"]  # fmt: skip
    one: Command = start("fit", *flags(name, *TWO, *more))
    one.until(lambda: "epoch 2/" in one.out.read_text())
    return one


@pytest.mark.parametrize(
    ("who", "number"),
    [("first", signal.SIGTERM), ("second", signal.SIGTERM), ("both", signal.SIGINT),
     ("both", signal.SIGTERM)],
)  # fmt: skip
def test_a_signal_ends_both_at_the_same_step(start: Any, flags: Any, who: str, number: Any) -> None:
    one = begin_slowly(start, flags, "two")
    first, second = one.alive()
    for pid in {"first": [first], "second": [second], "both": [first, second]}[who]:
        os.kill(pid, number)
        time.sleep(0.03)  # they are never told at the same moment
    said = one.wait(130, 60)
    assert "interrupted: " in said and "last.ckpt" in said
    assert "Traceback" not in said, said
    one.until(lambda: not one.alive(), 10)
    record = record_of("two")
    assert record["status"] == "interrupted"
    last = Path(record["last_checkpoint"])
    steps = torch.load(last, weights_only=True)["global_step"]
    assert steps > 0
    again = [f"--ckpt_path={last}", "--workspace=two", *ONE,
             f"--trainer.max_epochs={record['epochs'] + 2}"]  # fmt: skip
    start("fit", *again).wait()
    assert record_of("two")["status"] == "finished"


def test_an_error_of_one_process_ends_both_and_is_told(start: Any, flags: Any) -> None:
    Path("fault.py").write_text(FAULT)
    one = start("fit", *flags("two", *TWO, "--trainer.callbacks+=fault.Fault"))
    one.until(lambda: not one.alive())
    said = one.out.read_text()
    assert one.process.wait() != 0
    assert said.count("error: the disk of process 1 has a hole") == 1, said
    assert "Next: mend it" in said
    assert "Traceback" not in said, said
    assert not (run_of("two") / "run.json").exists()


@pytest.mark.parametrize("killed", [0, 1])
def test_none_goes_on_without_the_other(start: Any, flags: Any, killed: int) -> None:
    one = begin_slowly(start, flags, "two")
    os.kill(one.alive()[killed], signal.SIGKILL)
    one.until(lambda: not one.alive(), 30)
    said = one.out.read_text()
    assert one.process.wait() != 0
    assert "was left by another" in said, said
    assert "Traceback" not in said, said


def test_torchrun_trains_as_one_process_does(start: Any, flags: Any) -> None:
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m",
                "deepfake_lightning")  # fmt: skip
    start("fit", *flags("one", "--trainer.max_epochs=2", *ONE)).wait()
    said = start("fit", *flags("two", "--trainer.max_epochs=2", *TWO), program=torchrun).wait()
    assert said.count("best checkpoint") == 1
    assert_same_weights(*(run_of(of) / "checkpoints/last.ckpt" for of in ("one", "two")))
