"""Where only signed versions serve, no way gives traffic to another one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import CanaryPolicy, abort, begin
from deepfake_lightning.deployment.deploying import Wish, deploy
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.experiments import Start, start, stop
from deepfake_lightning.deployment.gate.policy import Cost, GatePolicy, Integration
from deepfake_lightning.deployment.rollback import roll_back
from deepfake_lightning.errors import DeepfakeLightningError, SignatureError, UsageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.signatures import signature_files, signatures_of
from deepfake_lightning.registry.signing import sign_version
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.storage import Workspace

QUICK = GatePolicy(cost=Cost(cpu_ms=None, slower=None), integration=Integration(environments=()))
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def production(workspace: Workspace) -> Environment:
    """Return the environment: v1.1.0 served it, and v1.0.0 does; both before any policy."""
    environment = Environment(workspace, "production")
    for version in ("v1.1.0", "v1.0.0"):
        environment.change(environment.record(), whole(version), Act("deploy"))
    return environment


def forced(environment: Environment, version: str, **more: Any) -> Any:
    wish = Wish(version, environment.name, QUICK, "a test", True, **more)
    return deploy(environment.workspace, wish)


def shared(*versions: str, shadow: tuple[str, ...] = ()) -> EnvironmentRecord:
    shares = tuple(Serving(version=one, share=1 / len(versions)) for one in versions)
    return EnvironmentRecord(serving=shares, shadow=shadow)


# Every way by which a version that does not serve comes to get requests.
WAYS: dict[str, Callable[[Environment, str], object]] = {
    "change": lambda place, one: place.change(place.record(), whole(one), Act("deploy")),
    "share": lambda place, one: place.change(place.record(), shared("v1.0.0", one), Act("abtest")),
    "shadow": lambda place, one: place.change(
        place.record(), shared("v1.0.0", shadow=(one,)), Act("abtest")
    ),
    "rollback to": lambda place, one: roll_back(place, "slow", to=one, wait_seconds=0),
    "rollback": lambda place, one: roll_back(place, "slow", wait_seconds=0),  # v1.1.0 was before
    "canary": lambda place, one: begin(place, one, CanaryPolicy(), Act("canary"), now=NOW),
    "A/B test": lambda place, one: start(
        place.workspace, Start((one,), place.name, reason="a test", force=True)
    ),
    "A/B test in the shadow": lambda place, one: start(
        place.workspace, Start((one,), place.name, "shadow", reason="a test", force=True)
    ),
}


@pytest.fixture
def ada(make_key: Any, ask_signed: Any, production: Environment) -> Path:
    """Return the private key that production trusts; it has signed v1.0.0, which serves."""
    private, public = make_key("ada")
    sign_version(Registry(production.workspace), "v1.0.0", private)
    ask_signed(production.workspace, public)
    return private


@pytest.mark.parametrize("way", WAYS)
def test_each_way_wants_a_signature(way: str, production: Environment, ada: Path) -> None:
    before = production.path.read_bytes(), production.history.path.read_bytes()
    with pytest.raises(SignatureError, match=r"v1\.1\.0 is not signed") as caught:
        WAYS[way](production, "v1.1.0")
    assert "v1.1.0" not in production.record().versions
    assert (production.path.read_bytes(), production.history.path.read_bytes()) == before
    assert not (production.workspace.deployment / "experiments").is_dir()
    assert caught.value.next_step
    sign_version(Registry(production.workspace), "v1.1.0", ada)
    WAYS[way](production, "v1.1.0")
    assert "v1.1.0" in production.record().versions


def others_key(place: Environment, folder: Path, make_key: Any) -> None:
    sign_version(Registry(place.workspace), "v1.1.0", make_key("eve")[0])


def weights(place: Environment, folder: Path, make_key: Any) -> None:
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def metadata(place: Environment, folder: Path, make_key: Any) -> None:
    path = folder / "registration.json"
    path.write_text(path.read_text().replace('"reason": ""', '"reason": "the best"'))
    write_sums(folder)


def copied(place: Environment, folder: Path, make_key: Any) -> None:
    root = place.workspace.registry
    mine = signature_files(signatures_of(root, "v1.1.0"))[0]
    shutil.copy(signature_files(signatures_of(root, "v1.0.0"))[0], mine)


def key_gone(place: Environment, folder: Path, make_key: Any) -> None:
    policy = place.workspace.deployment / "policy" / "signing.yaml"
    policy.write_text("{required: true, keys: [gone.pub]}")


def policy_damaged(place: Environment, folder: Path, make_key: Any) -> None:
    (place.workspace.deployment / "policy" / "signing.yaml").write_text("{require: true}")


@pytest.mark.parametrize("spoil", [others_key, weights, metadata, copied, key_gone, policy_damaged])
def test_what_is_wrong_with_it_lets_nothing_through(
    spoil: Any, production: Environment, ada: Path, make_key: Any
) -> None:
    registry = Registry(production.workspace)
    if spoil is not others_key:
        sign_version(registry, "v1.1.0", ada)
    spoil(production, registry.folder("v1.1.0"), make_key)
    for way in ("change", "rollback", "canary"):
        with pytest.raises(DeepfakeLightningError) as caught:
            WAYS[way](production, "v1.1.0")
        assert caught.value.next_step
    assert production.record().versions == ("v1.0.0",)


def test_no_force_gets_past_it(production: Environment, ada: Path) -> None:
    for event in ("deploy", "promote"):  # as abtest promote does
        found = forced(production, "v1.1.0", event=event)
        assert (found.decision.outcome, found.change) == ("refused", None)
        said = {one.name: one for one in found.decision.unforceable}["signature"]
        assert found.decision.evidence.measured is None  # hours are not spent on it
        assert "v1.1.0 is not signed" in said.says and "registry sign" in said.next_step
        assert (found.folder / "page.html").is_file()
    with_canary = forced(production, "v1.1.0", canary=CanaryPolicy())
    assert with_canary.decision.outcome == "refused"
    assert production.record().versions == ("v1.0.0",)
    sign_version(Registry(production.workspace), "v1.1.0", ada)
    found = forced(production, "v1.1.0")
    assert found.decision.outcome == "forced"  # by other rules, which a reason gets past
    said = {one.name: one for one in found.decision.checks}["signature"]
    assert said.status == "passed" and "ada.pub" in said.says


def test_the_one_that_serves_needs_one_as_well(
    production: Environment, ada: Path, ask_signed: Any, make_key: Any
) -> None:
    """A share of what nobody signed would go on where the rest goes to a signed version."""
    ben, public = make_key("ben")
    ask_signed(production.workspace, public)  # who has not signed v1.0.0
    sign_version(Registry(production.workspace), "v1.1.0", ben)
    for way in ("canary", "A/B test"):
        with pytest.raises(SignatureError, match=r"v1\.0\.0"):
            WAYS[way](production, "v1.1.0")
    WAYS["change"](production, "v1.1.0")  # takes it out
    assert production.record().versions == ("v1.1.0",)


def test_back_to_the_control_or_champion_asks_too(
    production: Environment, ada: Path, workspace: Workspace
) -> None:
    registry = Registry(workspace)
    sign_version(registry, "v1.1.0", ada)
    experiment, _ = start(workspace, Start(("v1.1.0",), reason="a test", force=True))
    signed = signature_files(signatures_of(registry.root, "v1.0.0"))[0]
    whole_one = signed.read_bytes()
    signed.unlink()
    with pytest.raises(SignatureError, match=r"v1\.0\.0"):
        stop(production, experiment, "enough")
    signed.write_bytes(whole_one)
    stop(production, experiment, "enough")
    begin(production, "v1.1.0", CanaryPolicy(), Act("canary"), now=NOW)
    signed.unlink()
    with pytest.raises(SignatureError, match=r"v1\.0\.0"):
        abort(production, "slow", wait_seconds=0)
    assert production.record().versions == ("v1.0.0", "v1.1.0")
    roll_back(production, "slow", to="v1.1.0", wait_seconds=0)  # there is always a way out


def test_the_policy_may_be_for_some_environments(
    production: Environment, make_key: Any, ask_signed: Any
) -> None:
    ask_signed(production.workspace, make_key("ada")[1], environments=["production"])
    staging = Environment(production.workspace, "staging")
    staging.change(staging.record(), whole("v1.1.0"), Act("deploy"))
    with pytest.raises(SignatureError):
        WAYS["change"](production, "v1.1.0")


def test_keys_lie_beside_the_policy_and_it_cannot_be_empty(
    production: Environment, ada: Path, ask_signed: Any
) -> None:
    sign_version(Registry(production.workspace), "v1.1.0", ada)
    policy = production.workspace.deployment / "policy"
    shutil.copy(ada.with_suffix(".pub"), policy / "ada.pub")
    ask_signed(production.workspace, Path("ada.pub"))
    WAYS["change"](production, "v1.1.0")
    ask_signed(production.workspace)
    with pytest.raises(UsageError, match="required without keys") as caught:
        WAYS["change"](production, "v1.0.0")
    assert "configs/signing.yaml" in caught.value.next_step


def test_a_policy_that_may_not_be_looked_for_lets_nothing_through(
    production: Environment, ada: Path
) -> None:
    policy = production.workspace.deployment / "policy"
    shutil.rmtree(policy)
    policy.symlink_to(policy)  # ELOOP, as EACCES is for another user than root
    with pytest.raises(UsageError, match=r"signing\.yaml cannot be looked for"):
        WAYS["change"](production, "v1.1.0")


@pytest.mark.parametrize(
    ("names", "said"),
    [([], "environments is empty"), (["Production"], "'Production' is no name"),
     (["production", "prod"], "no environment prod")],
)  # fmt: skip
def test_a_policy_that_asks_nowhere_is_refused(
    names: list[str], said: str, production: Environment, ada: Path, ask_signed: Any
) -> None:
    ask_signed(production.workspace, ada.with_suffix(".pub"), environments=names)
    with pytest.raises(UsageError, match=said):
        WAYS["change"](production, "v1.1.0")
    if names[-1:] == ["prod"]:
        (production.workspace.environments / "prod.json").write_text('{"schema": 1}')
        prod = Environment(production.workspace, "prod")
        with pytest.raises(SignatureError):
            prod.change(prod.record(), whole("v1.1.0"), Act("deploy"))


def test_without_a_policy_nothing_is_asked_for(production: Environment) -> None:
    WAYS["canary"](production, "v1.1.0")
    found = forced(production, "v1.0.0", event="promote")
    said = {one.name: one for one in found.decision.checks}["signature"]
    assert said.status == "not applicable"
