"""The command ``retrain``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from deepfake_lightning.cli import main
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.errors import DataError
from deepfake_lightning.registry import Registry, register_bundle
from deepfake_lightning.retraining import loop
from deepfake_lightning.retraining.looking import Setting
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import Loops, StepRecord
from deepfake_lightning.retraining.work import Refused
from deepfake_lightning.storage import Workspace, lock


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--reason", " "], "--reason is empty"), (["--watch", "true", "--dry_run", "true"],
     "looks by itself"), (["--every", "0"], "--every is 0"),
     ([], "nothing serves in production")],
)  # fmt: skip
def test_what_cannot_work_is_said(tmp_path, capsys, flags, said):
    assert main(["retrain", *flags, "--workspace", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_version_whose_training_is_elsewhere_is_said(tmp_path, crop_bundle, capsys):
    place = Workspace(tmp_path)
    register_bundle(Registry(place), crop_bundle.folder)
    environment = Environment(place, "production")
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy", "the first"))
    assert main(["retrain", "--dry_run", "true", "--workspace", str(tmp_path)]) == 2
    assert "the training of v1.0.0 is not in" in capsys.readouterr().err


def test_help_needs_no_torch_and_names_a_timer():
    code = (
        "import sys; from deepfake_lightning.cli import main; code = main(['retrain', '--help']);"
        "sys.exit(code or ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "configs/retrain.timer" in done.stdout


def test_units_run_the_command():
    folder = Path(__file__).parents[2] / "configs"
    service = (folder / "retrain.service").read_text()
    command = next(line for line in service.splitlines() if line.startswith("ExecStart="))
    assert command.partition("deepfake-lightning ")[2].split()[0] == "retrain"
    assert "SuccessExitStatus=3 4 75" in service
    assert "OnCalendar=hourly" in (folder / "retrain.timer").read_text()


@pytest.fixture
def place(released, tmp_path):
    """Return a workspace in which the version of ``released`` serves; its files are linked."""
    for name in ("registry", "runs"):
        (tmp_path / name).symlink_to(released.workspace / name)
    environment = Environment(Workspace(tmp_path), "production")
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy", "the first"))
    return tmp_path


def test_a_dry_run_shows_causes_data_and_steps(place, capsys, write_picture):
    write_picture(place / "data" / "images" / "fake" / "new.jpg", seed=900, fake=True)
    write_picture(place / "data" / "images" / "real" / "new.jpg", seed=900)
    flags = ["--dry_run", "true", "--workspace", str(place)]
    assert main(["retrain", *flags]) == 0
    shown = capsys.readouterr().out
    assert "there is no cause to train it again" in shown
    assert "2 new files (500 are asked for)" in " ".join(shown.split())
    assert "new media to learn from: 2 (files 1 real, 1 fake)" in shown
    assert "as v1.0.0 was, from its weights" in shown
    assert "(done)" not in shown
    assert main(["retrain", *flags, "--reason", "a test", "--json", "true"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["trigger"]["fires"] is True
    assert (record["items"], record["counts"]) == (2, {"files": {"real": 1, "fake": 1}})
    assert not (place / "retraining" / "loops").exists()


def test_a_dry_run_says_which_loop_is_at_work(place, capsys):
    loops = Loops(Workspace(place))
    flags = ["retrain", "--dry_run", "true", "--workspace", str(place)]

    def shown(*more):
        assert main([*flags, *more]) == 0
        return capsys.readouterr().out

    with lock(loops.guard):
        assert "another retraining is at work in this workspace" in shown()
    done = StepRecord(started_us=1, finished_us=2, result={})
    other = loops.begin("staging", "v1.0.0", "ada", {}, 1)
    own = loops.begin("production", "v1.0.0", "ada", {}, 2)
    own = loops.keep(own.model_copy(update={"steps": {"collect": done, "merge": done}}))
    assert "loop 2 was interrupted, and is gone on with" in shown()
    assert json.loads(shown("--json", "true"))["goes_on_with"] == 2
    with lock(loops.guard):
        said = shown()
        assert "loop 2 is at work, at the step train" in said
        assert "interrupted" not in said
        assert "next: wait for it to end" in said
        record = json.loads(shown("--json", "true"))
        assert (record["busy"], record["goes_on_with"]) == (True, None)
        assert record["at_work"] == {"loop": 2, "step": "train"}
        loops.keep(other)  # gone on with
        assert "loop 1 of staging is at work, at the step collect" in shown()
    assert "is at work" not in shown()


def test_without_a_cause_it_says_so_and_ends(place, capsys):
    assert main(["retrain", "--workspace", str(place)]) == 3
    shown = capsys.readouterr().out
    assert "there is no cause to train it again" in shown
    assert "there is no prediction log yet" in shown


@pytest.fixture
def called(place, capfd):
    """Return a function that calls the command and gives its exit code and its whole document."""

    def call(*flags, where=place):
        code = main(["retrain", "--json", "true", "--workspace", str(where), *flags])
        document = json.loads(capfd.readouterr().out)  # nothing else is printed there
        assert document["exit_code"] == code
        return code, document

    return call


def test_nothing_to_do_has_its_code_and_document(called, place):
    code, document = called()
    assert (code, document["outcome"], document["loop_id"]) == (3, "nothing_to_do", None)
    assert document["versions"] == {"base": "v1.0.0", "made": None}
    assert any("new files" in reason for reason in document["reasons"])
    assert document["paths"] == {"workspace": str(place)}
    assert called("--reason", "a test")[1]["reasons"][-1] == "there is nothing new to learn from"


def test_wrong_use_and_a_busy_workspace_have_theirs(called, place, tmp_path):
    code, document = called(where=tmp_path / "empty")
    assert (code, document["outcome"]) == (2, "wrong_use")
    assert document["error"]["what"] == document["reasons"][0]
    with lock(place / "retraining" / "loop"):
        code, document = called()
        only_faults = ["--only_faults", "true", "--workspace"]
        assert main(["retrain", *only_faults, str(place)]) == 0
    assert (code, document["outcome"], document["loop_id"]) == (75, "busy", None)
    assert main(["retrain", *only_faults, str(place)]) == 0  # nothing to do
    assert main(["retrain", *only_faults, str(tmp_path / "empty")]) == 2


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(DataError("all media are damaged"), (1, "failed")), (ValueError("odd"), None),
     (Refused("it forgets"), (4, "refused")), (KeyboardInterrupt(), (130, "interrupted"))],
)  # fmt: skip
def test_a_loop_that_ends_badly_has_its_own(
    called, place, write_picture, monkeypatch, capfd, ends, expected
):
    for name in ("real", "fake"):
        write_picture(place / "data" / "images" / name / "new.jpg", seed=900, fake=name == "fake")

    def end(work):
        raise ends

    steps = {name: lambda work: {} for name in loop.STEPS}
    steps |= {"train": lambda work: {"experiment": "lite0", "run": "retrain-0001"},
              "register": lambda work: {"version": "v1.1.0"}, "evaluate": end}  # fmt: skip
    monkeypatch.setattr(loop, "STEPS", steps)
    monkeypatch.setattr(loop, "is_whole", lambda work: True)
    if expected is None:  # what nobody foresaw has a document, too
        with pytest.raises(ValueError, match="odd"):
            main(["retrain", "--json", "true", "--workspace", str(place), "--reason", "x"])
        document = json.loads(capfd.readouterr().out)
        assert (document["exit_code"], document["reasons"]) == (1, ["ValueError('odd')"])
        return
    code, document = called("--reason", "a new forgery")
    assert (code, document["outcome"]) == expected
    assert document["loop_id"] == "retrain-0001"
    assert document["versions"] == {"base": "v1.0.0", "made": "v1.1.0"}
    assert list(document["steps"]) == ["collect", "merge", "train", "register"]
    assert Path(document["paths"]["loop"]).is_file()
    if code in (1, 4):
        assert document["reasons"] == [str(ends)]


def test_a_watch_outlives_what_nobody_foresaw(monkeypatch, caplog):
    from deepfake_lightning.cli import retrain as command

    def broken(*_):
        raise ValueError("a file that nobody foresaw")

    monkeypatch.setattr(command, "_retrained", broken)
    setting = Setting(Workspace("mlops"), "production", "log.db", RetrainPolicy())
    command._attempt(Console(), lambda: setting, json=False, before="")
    assert "this look failed" in caplog.text
    assert "a file that nobody foresaw" in caplog.text


def test_a_watch_says_once_what_does_not_change(place, capsys):
    from deepfake_lightning.cli import retrain as command

    setting = Setting(Workspace(place), "production", place / "log.db", RetrainPolicy())
    said = ""
    for _ in range(3):
        said = command._attempt(Console(), lambda: setting, json=False, before=said)
    assert capsys.readouterr().out.count("there is no cause to train it again") == 1
    elsewhere = Setting(Workspace(place), "staging", place / "log.db", RetrainPolicy())
    for _ in range(3):
        said = command._attempt(Console(), lambda: elsewhere, json=False, before=said)
    assert capsys.readouterr().err.count("nothing serves in staging") == 1


def test_a_watch_goes_by_the_policy_as_it_is(place, capsys):
    from deepfake_lightning.cli import retrain as command

    policy = place / "retraining/policy/retrain.yaml"
    policy.parent.mkdir(parents=True)

    def ask():
        return command._setting(Workspace(place), "production", None, None, None, None)

    said = command._attempt(Console(), ask, json=False, before="")
    policy.write_text("labels: many\n")
    said = command._attempt(Console(), ask, json=False, before=said)
    assert "labels" in capsys.readouterr().err
    policy.write_text("labels: 77\n")
    command._attempt(Console(), ask, json=False, before=said)
    assert "there is no cause to train it again" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_watch_looks_again_and_again_until_it_is_ended(place, end):
    command = [sys.executable, "-m", "deepfake_lightning", "retrain", "--watch", "true",
               "--every", "0.02", "--json", "true", "--workspace", str(place)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    looks = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [one["loop"] for one in looks] == [None] * 3
    process.send_signal(end)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what is done of a training is kept" in said
    assert "Traceback" not in said
