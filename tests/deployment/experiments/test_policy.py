"""The rules of experiments, from files."""

from pathlib import Path

import pytest

from deepfake_lightning.deployment.experiments import ExperimentPolicy, policy_of
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

CONFIG = Path(__file__).parents[3] / "configs" / "abtest.yaml"


def test_the_example_has_the_defaults():
    assert policy_of(Workspace(Path("none")), CONFIG) == ExperimentPolicy()
    assert all(name in CONFIG.read_text() for name in ExperimentPolicy.model_fields)


def test_a_workspace_has_its_own(tmp_path):
    place = Workspace(tmp_path)
    assert policy_of(place) == ExperimentPolicy()
    own = place.deployment / "policy" / "abtest.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("alpha: 0.01\nsources: [review, import]\n")
    assert policy_of(place) == ExperimentPolicy(alpha=0.01, sources=("review", "import"))


@pytest.mark.parametrize(
    ("text", "key"),
    [("alpha: 2", "alpha"), ("alfa: 0.1", "alfa: is alpha meant"), ("sources: []", "sources"),
     ("guard_rails: {erors: 1}", "guard_rails.erors"), ("least: 3", "least"),
     ("- 1", "no keys")],
)  # fmt: skip
def test_what_cannot_work_is_named(tmp_path, text, key):
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=key) as caught:
        policy_of(Workspace(tmp_path), file)
    assert "configs/abtest.yaml" in caught.value.next_step


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(UsageError):
        policy_of(Workspace(tmp_path), tmp_path / "absent.yaml")
