"""``deploy`` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.cli.deploy import REFUSED
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace

QUICK = "cost: {cpu_ms: null, slower: null}\nintegration: {environments: []}\n"


@pytest.fixture
def place(tmp_path, monkeypatch, crop_bundle):
    """Return a workspace with two versions, and rules that need no network and no server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    workspace = Workspace(tmp_path / "mlops")
    for version in ("v1.0.0", "v1.1.0"):
        register_bundle(Registry(workspace), crop_bundle.folder, Wish(version))
    path = workspace.deployment / "policy" / "gate.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(QUICK)
    return workspace


def mistake(capsys, *args):
    assert main(["deploy", *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "Traceback" not in shown.err and "Next: " in shown.err
    assert len(shown.err.splitlines()) <= 5
    return shown.err


def test_a_no_comes_first_with_what_to_do_and_fits(place, capsys):
    assert main(["deploy", "v1.1.0", "--env", "production"]) == REFUSED == 4
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0] == "v1.1.0 is not let through to production: 3 of 7 checks failed."
    table = [line for line in lines if line.startswith(("yes ", "NO ", "-  "))]
    assert len(table) >= 7 and max(map(len, table)) <= 80
    assert "NO   staging first" in shown
    assert "  next: deepfake-lightning deploy v1.1.0 --env staging" in lines
    assert "not looked at, since that fails already: gate split" in shown
    assert "nothing is changed" in lines
    (folder,) = (place.deployment / "decisions").iterdir()
    assert f"page: mlops/deployment/decisions/{folder.name}/page.html" in lines


def test_force_deploys_and_names_the_next_command(place, capsys):
    force = ["--force", "true", "--reason", "a test"]
    assert main(["deploy", "v1.0.0", *force]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("v1.0.0 is let through to staging by force: ")
    assert "staging now serves v1.0.0 (record 1)" in shown
    assert shown.endswith("next: deepfake-lightning deploy v1.0.0 --env production\n")
    assert main(["deploy", "v1.0.0"]) == 0
    assert capsys.readouterr().out.startswith("v1.0.0 serves all of staging already: nothing")


def test_json_and_nothing_else(place, capsys):
    flags = ["--force", "true", "--reason", "a test", "--by", "ada", "--json", "true"]
    assert main(["deploy", "v1.0.0", "--env", "production", *flags]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert (record["outcome"], record["asked"]["by"]) == ("forced", "ada")
    assert record["change"]["event"] == "force"
    kept = json.loads(Path(record["folder"], "decision.json").read_text())
    assert {name: record[name] for name in kept} == kept
    assert main(["deploy", "v1.1.0", "--env", "production", "--json", "true"]) == REFUSED
    record = json.loads(capsys.readouterr().out)
    assert (record["outcome"], record["change"]) == ("refused", None)


def test_a_dry_run_says_so(place, capsys):
    flags = ["--force", "true", "--reason", "a test", "--dry_run", "true"]
    assert main(["deploy", "v1.0.0", *flags]) == 0
    shown = capsys.readouterr().out
    assert "a dry run: nothing is changed" in shown
    assert not (place.environments / "staging.json").exists()


def test_a_tampered_bundle_is_a_failed_check_and_no_traceback(place, capsys):
    path = place.registry / "models/v1.1.0/model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    assert main(["deploy", "v1.1.0", "--force", "true", "--reason", "a test"]) == REFUSED
    shown = capsys.readouterr()
    assert "cannot be: " in shown.out.splitlines()[0]
    assert "NO   bundle" in shown.out and "Traceback" not in shown.err
    assert "--force true" not in shown.out  # which would not help


def test_wrong_use(place, capsys):
    assert "--force needs a reason" in mistake(capsys, "v1.0.0", "--force", "true")
    assert "v9.9.9 is not registered" in mistake(capsys, "v9.9.9")
    (place.deployment / "policy/gate.yaml").write_text("flors: {}\n")
    assert "there is no key flors: is floors meant?" in mistake(capsys, "v1.0.0")
    assert "no.yaml cannot be read" in mistake(capsys, "v1.0.0", "--policy", "no.yaml")


def test_the_exit_codes_are_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["deploy", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("0 deployed, or it serves there already", "4 the gate says no", "2 wrong use",
                  "130 interrupted", "example: deepfake-lightning deploy v1.1.0"):  # fmt: skip
        assert words in shown


def test_data_that_are_not_there_are_a_mistake_and_no_decision(place, capsys):
    assert "there is no nowhere.parquet" in mistake(capsys, "v1.0.0", "--data", "nowhere.parquet")
    assert not (place.deployment / "decisions").exists()
