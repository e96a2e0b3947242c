"""The gate's rules, as files say them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.deployment.gate.reading import EXAMPLE, policy_for
from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

CONFIG = Path(__file__).parents[3] / "configs" / "gate.yaml"


def keys(record, prefix=""):
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_the_file_is_what_the_code_does_without_it():
    assert read_policy(CONFIG, GatePolicy, EXAMPLE) == GatePolicy()
    written = yaml.safe_load(CONFIG.read_text("utf-8"))
    assert set(keys(written)) == set(keys(GatePolicy().model_dump(mode="json")))


def test_the_workspaces_own_file_comes_before_the_defaults(tmp_path):
    place = Workspace(tmp_path)
    assert policy_for(place) == (GatePolicy(), "the defaults")
    own = tmp_path / "deployment" / "policy" / "gate.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("floors: {auroc: 0.9, recall: null}\n")
    found, where = policy_for(place)
    assert (found.floors.auroc, found.floors.recall, found.floors.ece) == (0.9, None, 0.1)
    assert where == str(own)
    named = tmp_path / "other.yaml"
    named.write_text("")
    assert policy_for(place, named) == (GatePolicy(), str(named))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flors: {}", "there is no key flors: is floors meant?"),
        ("floors: {aurc: 0.9}", "there is no key floors.aurc: is auroc meant?"),
        ("floors: {auroc: 90}", "floors.auroc is 90"),
        ("against: {margins: {accuracy: 0.1}}", "'accuracy' is not compared: use auroc"),
        ("against: {margins: {auroc: -0.1}}", "against.margins.auroc is -0.1"),
        ("against: {better: [auc]}", "'auc' is not compared"),
        ("training: {allowed: [leaks]}", "'leaks' is no kind of finding: use identity_across"),
        ("integration: {plan: {p95: 3}}", "'p95' is no limit of it: there are device"),
        ("integration: {plan: {p95_ms: -3}}", "p95_ms of the integration tests is -3"),
        ("staging_first: [staging]", "staging itself cannot come after staging"),
        ("media: [audio]", "media.0 is 'audio'"),
        ("- floors", "holds no keys"),
        ("floors: {", "is not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, text, said):
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_policy(path, GatePolicy, EXAMPLE)
    assert said in caught.value.what
    assert caught.value.next_step


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"no\.yaml cannot be read") as caught:
        read_policy(tmp_path / "no.yaml", GatePolicy, EXAMPLE)
    assert "configs/gate.yaml" in caught.value.next_step
