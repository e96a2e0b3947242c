"""The canary's policy, and its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake_lightning.deployment.canary import CanaryPolicy, policy_of
from deepfake_lightning.deployment.canary.policy import EXAMPLE
from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

CONFIG = Path(__file__).parents[3] / "configs" / "canary.yaml"


def test_the_file_that_documents_the_defaults_has_them_all():
    import yaml

    assert yaml.safe_load(CONFIG.read_text()) == {
        **CanaryPolicy().to_dict(), "steps": list(CanaryPolicy().steps)
    }  # fmt: skip

    assert read_policy(CONFIG, CanaryPolicy, EXAMPLE) == CanaryPolicy()


def test_a_workspace_may_have_its_own(tmp_path):
    assert policy_of(Workspace(tmp_path)) == CanaryPolicy()
    path = tmp_path / "deployment/policy/canary.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("minutes: 5\nguard_rails: {latency_ms: 300, errors: null}\n")
    policy = policy_of(Workspace(tmp_path))
    assert (policy.minutes, policy.requests) == (5, CanaryPolicy().requests)
    assert policy.guard_rails.number == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [("minuts: 3", "there is no key minuts: is minutes meant?"),
     ("steps: [0.5, 0.25, 1]", "the shares have to grow, and end with 1"),
     ("steps: [0.05, 0.5]", "the shares have to grow"),
     ("guard_rails: {latency_ratio: 0.9}", "latency_ratio is 0.9: input should be greater"),
     ("[", "is not YAML"), ("- 3", "holds no keys")],
)  # fmt: skip
def test_what_cannot_work_is_said(tmp_path, text, said):
    path = tmp_path / "canary.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_policy(path, CanaryPolicy, EXAMPLE)
    assert said in caught.value.what
