"""``tune`` as a command: what it prints, and how it ends."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from deepfake_lightning.cli import main
from deepfake_lightning.registry import Registry
from deepfake_lightning.storage import Workspace
from deepfake_lightning.tuning.study import open_storage, open_study
from deepfake_lightning.tuning.sweep import read_sweep
from tests.postgresql_server import PASSWORD

WITHIN = {"model.lr": FloatDistribution(1e-4, 0.1, log=True),
          "model.drop_rate": FloatDistribution(0.0, 0.5)}  # fmt: skip
SPACE = {"model.lr": {"low": 1e-4, "high": 0.1, "log": True},
         "model.drop_rate": {"low": 0.0, "high": 0.5}}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faces: Path) -> Path:
    """Return a sweep file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    base = {
        "model": {"lr": 0.005, "backbone": "test_efficientnet", "pretrained": False},
        "data": {"root": str(faces), "image_size": 32, "batch_size": 8, "num_workers": 0},
        "trainer": {"max_epochs": 1, "enable_progress_bar": False, "limit_train_batches": 2},
    }
    Path("base.yaml").write_text(yaml.safe_dump(base))
    path = Path("sweep.yaml")
    path.write_text(
        yaml.safe_dump({"study": "s", "base": "base.yaml", "trials": 8, "space": SPACE})
    )
    return path


@pytest.fixture
def done(config: Path) -> Path:
    """Return the file of a sweep all of whose trials are done: 6 complete, 1 pruned, 1 failed."""
    sweep = read_sweep(config)
    study = open_study(sweep, open_storage(None, Path("mlops/tuning/s")))
    for number in range(8):
        lr = 0.005 if number == 0 else 1e-4 * 2**number
        told: dict[str, Any] = {"value": 0.6 + 0.01 * number, "intermediate_values": {0: 0.55}}
        attributes: dict[str, Any] = {"seconds": 12.3, "default": number == 0}
        if number == 6:
            told["state"] = TrialState.PRUNED
        if number == 7:
            told, attributes["reason"] = {"state": TrialState.FAIL}, "out of memory"
        params = {"model.lr": lr, "model.drop_rate": 0.05 * number}
        study.add_trial(
            create_trial(params=params, distributions=WITHIN, user_attrs=attributes, **told)
        )
    return config


def test_it_prints_the_best_beside_the_default_and_what_to_do_next(done: Path, capsys: Any) -> None:
    assert main(["tune", "--config", str(done)]) == 0
    shown = capsys.readouterr().out
    assert "8 of 8 trials done: 6 complete, 1 pruned, 1 failed" in shown
    assert "trial 7 failed: out of memory" in shown
    assert "best: trial 5, val/auroc 0.6500; the base's own values: 0.6000 (+0.0500" in shown
    assert "optimistic" in shown
    assert "optuna-dashboard mlops/tuning/s/journal.log" in shown
    assert "fit --config base.yaml --config mlops/tuning/s/best.yaml" in shown
    table = shown.partition("finished")[0].splitlines()
    assert max(map(len, table)) <= 80
    assert table[2].split()[:2] == ["5", "0.6500"]
    assert table[-1].endswith("the base")


def test_page_and_record_hold_the_same(done: Path) -> None:
    assert main(["tune", "--config", str(done)]) == 0
    folder = Path("mlops/tuning/s")
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "http://" not in page
    assert "https://" not in page
    record = json.loads((folder / "study.json").read_text())
    assert (record["best"], record["default"]) == (5, 0)
    assert sum(record["importance"].values()) == pytest.approx(1)


def test_json_is_all_there_is(done: Path, capsys: Any) -> None:
    assert main(["tune", "--config", str(done), "--json", "true"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["counts"] == {"complete": 6, "pruned": 1, "failed": 1}
    assert shown["trials"][5]["values"]["model.lr"] == pytest.approx(0.0032)


@pytest.mark.parametrize(
    ("changes", "flags", "says"),
    [
        ({"space": {"model.lrr": SPACE["model.lr"]}}, [], "did you mean model.lr?"),
        ({"objective": "test/auroc"}, [], "validation only"),
        ({"trials": "many"}, [], "trials"),
        ({}, ["--workers", "0"], "workers"),
        ({}, ["--worker", "2"], "--workers"),
        ({}, ["--config", "none.yaml"], "none.yaml"),
        ({}, ["--storage", "nosuch://x"], "nosuch"),
    ],
)
def test_a_mistake_exits_2_names_the_key_and_leaves_nothing(
    config: Path, capsys: Any, changes: dict[str, Any], flags: list[str], says: str
) -> None:
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **changes}))
    assert main(["tune", "--config", str(config), *flags]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert len(error.splitlines()) <= 5
    assert not list(Path().glob("mlops/runs/*"))


def test_another_space_under_the_same_name_exits_2(done: Path, capsys: Any) -> None:
    changed = yaml.safe_load(done.read_text())
    changed["space"]["model.lr"]["high"] = 0.2
    done.write_text(yaml.safe_dump(changed))
    assert main(["tune", "--config", str(done)]) == 2
    error = capsys.readouterr().err
    assert "model.lr.high was 0.1, and is 0.2" in error
    assert "--study" in error


def test_a_database_keeps_the_study(config: Path, capsys: Any) -> None:
    url = "sqlite:///sweeps.db"
    sweep = read_sweep(config, storage=url, trials=1)
    study = open_study(sweep, open_storage(url, Path("mlops/tuning/s")))
    values = {"model.lr": 0.01, "model.drop_rate": 0.1}
    study.add_trial(create_trial(params=values, distributions=WITHIN, value=0.7))
    assert main(["tune", "--config", str(config), "--storage", url, "--trials", "1"]) == 0
    assert f"optuna-dashboard {url}" in capsys.readouterr().out


def test_a_postgresql_database_keeps_the_study_and_its_password_is_not_told(
    config: Path, postgresql: Any, capsys: Any
) -> None:
    url, folder = postgresql.database(), Path("mlops/tuning/s")
    study = open_study(read_sweep(config, trials=1), open_storage(url, folder))
    values = {"model.lr": 0.01, "model.drop_rate": 0.1}
    study.add_trial(create_trial(params=values, distributions=WITHIN, value=0.7))
    command = ["tune", "--config", str(config), "--trials", "1", "--storage", url]
    assert main(command) == 0
    assert main([*command, "--json", "true"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out.splitlines()[-1])["storage"] == url.replace(PASSWORD, "***")
    assert "1 of 1 trials done" in shown.out and PASSWORD not in shown.out + shown.err
    files = [path for path in Path("mlops").rglob("*") if path.is_file()]
    assert files and not any(PASSWORD.encode() in path.read_bytes() for path in files)

    assert main([*command[:-1], url.replace(PASSWORD, f"{PASSWORD}!")]) == 2
    assert main([*command[:-2], "--storag", url]) == 2
    said = capsys.readouterr()
    assert "password authentication failed" in said.err and "--storage" in said.err
    assert PASSWORD not in said.out + said.err


@pytest.mark.slow
def test_the_best_values_become_a_version(done: Path, capsys: Any) -> None:
    assert main(["tune", "--config", str(done), "--register", "true"]) == 0
    assert "v1.0.0" in capsys.readouterr().out
    bundle = Registry(Workspace.find()).bundle("v1.0.0")
    trained = bundle.read_json("provenance.json")["config"]["model"]
    assert trained["lr"] == pytest.approx(0.0032)
    assert trained["drop_rate"] == pytest.approx(0.25)
    record = json.loads(Path("mlops/tuning/s/study.json").read_text())
    assert record["registered"]["version"] == "v1.0.0"


def test_the_script_does_the_same(done: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(__file__).parents[2] / "scripts/sweep.py"
    monkeypatch.setattr(sys, "argv", [str(script), "--config", str(done)])
    runpy.run_path(str(script), run_name="__main__")
    assert "best: trial 5, val/auroc 0.65" in capsys.readouterr().out


def test_help_is_light(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["tune", "--help"])
    shown = capsys.readouterr().out
    assert "--workers" in shown
    assert "example: deepfake-lightning tune --config configs/sweep.yaml" in shown
