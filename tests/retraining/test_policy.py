"""When a detector is trained again: the file, the defaults, and what cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deepfake_lightning.errors import UsageError
from deepfake_lightning.retraining.policy import EXAMPLE, RetrainPolicy, policy_of
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

CONFIG = Path(__file__).parents[2] / EXAMPLE


def test_the_example_has_all_defaults():
    assert yaml.safe_load(CONFIG.read_text()) == RetrainPolicy().to_dict()
    assert read_policy(CONFIG, RetrainPolicy, EXAMPLE) == RetrainPolicy()


def test_a_workspace_may_have_its_own(tmp_path):
    place = Workspace(tmp_path)
    assert policy_of(place) == RetrainPolicy()
    own = place.retraining / "policy" / "retrain.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("schedule: 30 4 * * sat\nzone: Europe/Berlin\nlabels: null\n")
    policy = policy_of(place)
    assert (policy.schedule, policy.labels, policy.files) == ("30 4 * * sat", None, 500)


@pytest.mark.parametrize(
    ("text", "said"),
    [("schedule: 0 3 * * 0", "names"), ("zone: Mars\nschedule: weekly", "time zone"),
     ("zone: Mars/X", "time zone"), ("schedule: 0 3 30 2 *", "never comes"),
     ("performance: {drop: 5}", "performance.drop"), ("label: 3", "is labels meant")],
)  # fmt: skip
def test_what_cannot_work_is_named(tmp_path, text, said):
    path = tmp_path / "retrain.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_policy(path, RetrainPolicy, EXAMPLE)
