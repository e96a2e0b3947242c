"""The policy of drift, and its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.drift import FEATURES, DriftPolicy, policy_of
from deepfake_lightning.monitoring.drift.policy import EXAMPLE
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

CONFIG = Path(__file__).parents[3] / "configs" / "drift.yaml"


def test_the_file_that_documents_the_defaults_has_them_all():
    assert yaml.safe_load(CONFIG.read_text()) == DriftPolicy().to_dict()
    assert read_policy(CONFIG, DriftPolicy, EXAMPLE) == DriftPolicy()


def test_a_workspace_may_have_its_own(tmp_path):
    assert policy_of(Workspace(tmp_path)) == DriftPolicy()
    path = tmp_path / "monitoring/policy/drift.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("reference: baseline\nlimits: {score: null, embedding: 0.4}\n")
    policy = policy_of(Workspace(tmp_path))
    assert (policy.reference, policy.items) == ("baseline", 500)
    assert policy.features == FEATURES[1:]


@pytest.mark.parametrize(
    ("text", "said"),
    [("item: 3", "there is no key item: is items meant?"),
     ("limits: {score: 0}", "limits.score is 0: input should be greater than 0"),
     ("limits: {hue: 0.1}", "there is no key limits.hue"),
     ("reference: yesterday", "reference is 'yesterday'"),
     ("least_items: 600", "least_items are more than items"),
     ("{max_days: 0.5, minutes: 1440}", "no window would ever be long enough"),
     ("permutations: 500", "permutations have to be 800 or more"),
     (f"limits: {json.dumps(dict.fromkeys(FEATURES))}", "nothing to look at")],
)  # fmt: skip
def test_what_cannot_work_is_said(tmp_path, text, said):
    path = tmp_path / "drift.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_policy(path, DriftPolicy, EXAMPLE)
    assert said in caught.value.what
