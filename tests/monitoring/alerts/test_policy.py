"""The alert policy, and its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.alerts import AlertPolicy, AlertRule, policy_of
from deepfake_lightning.monitoring.alerts.policy import MEASURES
from deepfake_lightning.monitoring.alerts.policy_files import EXAMPLE
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

ROOT = Path(__file__).parents[3]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a policy's file into a workspace, and gives the workspace."""

    def written(**files):
        folder = tmp_path / "monitoring" / "alerts"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        return Workspace(tmp_path)

    return written


def test_the_file_that_documents_the_defaults_has_them_all():
    assert yaml.safe_load((ROOT / EXAMPLE).read_text()) == AlertPolicy().to_dict()
    assert read_policy(ROOT / EXAMPLE, AlertPolicy, EXAMPLE) == AlertPolicy()


def test_the_channels_that_it_shows_work_as_they_stand():
    lines = (ROOT / EXAMPLE).read_text().partition("# Others,")[2].splitlines()[1:]
    shown = yaml.safe_load("\n".join(line.removeprefix("#") for line in lines))
    policy = AlertPolicy.model_validate({"channels": shown})
    assert [one.kind for one in policy.channels] == ["file", "webhook", "webhook", "email"]


def test_there_is_a_default_rule_for_each_measure():
    assert [rule.measure for rule in AlertPolicy().rules] == list(MEASURES)


def test_several_files_hold_together(write):
    workspace = write(
        rules="rules:\n- {name: slow, measure: latency_p95, limit: 80}\n",
        more="rules:\n- {name: full, measure: disk, limit: 0.8}\n",
    )
    policy = policy_of(workspace)
    assert {rule.name for rule in policy.rules} == {"slow", "full"}
    assert policy.channels == AlertPolicy().channels  # no file has some
    workspace = write(mail="channels:\n- {name: file, kind: file}\n")
    assert [one.name for one in policy_of(workspace).channels] == ["file"]
    assert policy_of(Workspace(workspace.root / "other")) == AlertPolicy()


def test_a_name_in_two_files_is_an_error_that_names_both(write):
    rule = "rules:\n- {name: full, measure: disk, limit: 0.8}\n"
    with pytest.raises(UsageError, match=r"rule full stands in .*a\.yaml and in .*b\.yaml"):
        policy_of(write(a=rule, b=rule))


def test_a_rule_without_anybody_to_tell_is_an_error(write):
    rule = "rules:\n- {name: full, measure: disk, limit: 0.8, channels: [pager]}\n"
    with pytest.raises(UsageError, match="names the channel pager, which there is not"):
        policy_of(write(a=rule))


@pytest.mark.parametrize(
    ("text", "said"),
    [("rules:\n- {name: a, measure: disk, limit: 1, fro: 3}", "no key rules.0.fro"),
     ("rules:\n- {name: a, measure: disk}", "all other measures need one"),
     ("rules:\n- {name: a, measure: drift, limit: 1}", "drift has no limit"),
     ("rules:\n- {name: a, measure: disk, limit: 0.5, clear: 0.6}", "the limit or less"),
     ("rules:\n- {name: a, measure: disk, limit: 0.5, media: image}", "not kept by kind"),
     ("rules:\n- &a {name: a, measure: disk, limit: 0.5}\n- *a", "a stands in it twice"),
     ("rules:\n- {name: a, measure: disc, limit: 0.5}", "measure is 'disc'"),
     ("channels:\n- {name: a, kind: webhook, url: 'ftp://x/y'}", "http://... or https://..."),
     ("channels:\n- {name: a, kind: webhook, url: 'file:///etc/passwd'}", "http://... or https"),
     ("channels:\n- {name: a, kind: webhook}", "give url, or url_env"),
     ("channels:\n- {name: a, kind: pager}", "pager"),
     ("channels:\n- {name: a, kind: email, host: h, sender: a@b, to: []}", "at least 1"),
     ("channels:\n- {name: a, kind: email, host: h, sender: 'a@b\\nBcc: c@d', to: [a@b]}",
      "should match pattern"),
     ("channels:\n- {name: a, kind: email, host: h, sender: a@b, to: [a@b], security: none,"
      " user_env: U, password_env: P}", "not sent in the clear")],
)  # fmt: skip
def test_what_cannot_work_is_said(write, text, said):
    with pytest.raises(UsageError) as caught:
        policy_of(write(a=text))
    assert said in caught.value.what


def test_an_address_that_is_refused_is_not_repeated(write):
    with pytest.raises(UsageError) as caught:
        policy_of(write(a="channels:\n- {name: a, kind: webhook, url: 'htps://x/hidden-token'}"))
    assert "hidden-token" not in str(caught.value)


def test_a_rule_tells_the_channels_that_it_names():
    rule = AlertRule(name="full", measure="disk", limit=0.9, channels=("b",))
    channels = [{"name": name, "kind": "log"} for name in "ab"]
    policy = AlertPolicy.model_validate({"rules": [rule], "channels": channels})
    assert [one.name for one in policy.told("full")] == ["b"]
    assert [one.name for one in policy.told("gone")] == ["a", "b"]
    with pytest.raises(ValidationError):
        policy.rules = ()
