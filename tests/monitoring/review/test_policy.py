"""The policy of reviews, and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.review import ReviewPolicy, policy_of
from deepfake_lightning.monitoring.review.policy import EXAMPLE
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

CONFIG = Path(__file__).parents[3] / "configs" / "review.yaml"


def test_the_file_that_documents_the_defaults_has_them_all():
    assert yaml.safe_load(CONFIG.read_text()) == ReviewPolicy().to_dict()
    assert read_policy(CONFIG, ReviewPolicy, EXAMPLE) == ReviewPolicy()


def test_a_workspace_may_have_its_own(tmp_path):
    assert policy_of(Workspace(tmp_path)) == ReviewPolicy()
    path = tmp_path / "monitoring/policy/review.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("rate: 0.2\nstrata: [{up_to: 0.5}, {up_to: 1, times: 4}]\n")
    policy = policy_of(Workspace(tmp_path))
    assert (policy.rate, policy.strata[1].times) == (0.2, 4)
    assert policy.second_opinion == ReviewPolicy().second_opinion


@pytest.mark.parametrize(
    ("text", "said"),
    [("rat: 0.1", "there is no key rat: is rate meant?"),
     ("rate: 1.5", "rate is 1.5"),
     ("strata: []", "up_to has to grow, and end with 1"),
     ("strata: [{up_to: 0.5}, {up_to: 0.4}, {up_to: 1}]", "up_to has to grow"),
     ("strata: [{up_to: 0.5}]", "end with 1"),
     ("strata: [{up_to: 1, times: 0}]", "strata.0.times is 0")],
)  # fmt: skip
def test_what_cannot_work_is_said(tmp_path, text, said):
    path = tmp_path / "review.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_policy(path, ReviewPolicy, EXAMPLE)
    assert said in caught.value.what
