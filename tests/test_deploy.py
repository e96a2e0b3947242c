"""The image and the manifests agree with the program: commands, routes, places, times."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import ArgumentParser

from deepfake_lightning.cli.commands import COMMANDS
from deepfake_lightning.dashboard.access.doors import door_of as dashboard_door
from deepfake_lightning.serving import server
from deepfake_lightning.serving.access.doors import door_of
from deepfake_lightning.storage import LOG_VARIABLE, WORKSPACE_VARIABLE

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "scripts" / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
DOORS = {"server": door_of, "dashboard": dashboard_door}


def _objects() -> list[dict[str, Any]]:
    files = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    return [one for name in files for one in yaml.safe_load_all((MANIFESTS / name).read_text())]


OBJECTS = _objects()


def _pods() -> dict[str, dict[str, Any]]:
    """Return the pod template of each workload, by its name."""
    found = {}
    for one in OBJECTS:
        if one["kind"] == "Deployment":
            found[one["metadata"]["name"]] = one["spec"]["template"]
        if one["kind"] == "CronJob":
            found[one["metadata"]["name"]] = one["spec"]["jobTemplate"]["spec"]["template"]
    return found


PODS = _pods()


def _of(kind: str) -> list[dict[str, Any]]:
    return [one for one in OBJECTS if one["kind"] == kind]


def _container(name: str) -> dict[str, Any]:
    (container,) = PODS[name]["spec"]["containers"]
    assert "command" not in container  # the image's entry point
    return container


def _flags(args: list[str]) -> dict[str, str]:
    """Return the flags among a container's arguments, each of which has a value."""
    return dict(one.removeprefix("--").split("=", 1) for one in args[1:])


def _image() -> dict[str, str]:
    """Return the environment of the image."""
    last = DOCKERFILE.rpartition("\nFROM ")[2].replace("\\\n", " ")
    lines = [line[4:] for line in last.splitlines() if line.startswith("ENV ")]
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PODS))
def test_the_command_line_takes_what_a_container_says(name):
    """It refuses what is wrong; for types it imports what a command needs, which takes seconds."""
    command, *args = _container(name)["args"]
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_function_arguments(COMMANDS[command].load(), as_positional=True)
    parsed = vars(parser.parse_args(args))
    assert {flag: str(parsed[flag]).lower() for flag in _flags([command, *args])} == {
        flag: str(value).lower() for flag, value in _flags([command, *args]).items()
    }


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_container_runs_a_command_that_there_is(name):
    args = _container(name)["args"]
    flags, there = _flags(args), inspect.signature(COMMANDS[args[0]].load()).parameters
    assert flags.keys() <= there.keys()
    assert flags["env"] == "production"
    assert not any("TOKEN" in one["name"] for one in _container(name)["env"])  # files alone
    assert [one["name"] for one in _container(name)["env"]] == [LOG_VARIABLE]


@pytest.mark.parametrize("name", sorted(DOORS))
def test_probes_ask_for_what_is_open(name):
    container, flags = _container(name), _flags(_container(name)["args"])
    (port,) = container["ports"]
    assert (port["containerPort"], flags["host"]) == (int(flags["port"]), "0.0.0.0")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        door = DOORS[name](asked["path"])
        assert door.opens_to("GET") and door.route == asked["path"]
    (service,) = [one for one in _of("Service") if one["metadata"]["name"] == name]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert service["spec"]["selector"].items() <= PODS[name]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", sorted(PODS))
def test_what_is_mounted_is_where_the_program_looks(name):
    spec, container = PODS[name]["spec"], _container(name)
    places = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert places.keys() == volumes.keys()
    image = _image()
    assert places["workspace"] == image[WORKSPACE_VARIABLE]
    assert places["tmp"] == image["TMPDIR"] == image["HOME"]
    assert volumes["tmp"]["emptyDir"]["sizeLimit"]
    kept = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "HF_HOME",
            "TORCH_HOME")  # fmt: skip
    assert all(Path(image[one]).is_relative_to(places["tmp"]) for one in kept)
    claimed = volumes["workspace"]["persistentVolumeClaim"]["claimName"]
    assert [one["metadata"]["name"] for one in _of("PersistentVolumeClaim")] == [claimed]
    if (token := _flags(container["args"]).get("token_file")) is not None:
        (item,) = volumes["secrets"]["secret"]["items"]
        assert token == f"{places['secrets']}/{item['path']}"


@pytest.mark.parametrize("name", sorted(PODS))
def test_pods_may_do_nothing_that_they_need_not(name):
    spec, container = PODS[name]["spec"], _container(name)
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user is not None
    secured = spec["securityContext"]
    assert secured["runAsNonRoot"] is True
    assert (secured["runAsUser"], secured["runAsGroup"]) == (int(user[1]), int(user[2]))
    assert secured["fsGroup"] == int(user[2])
    assert secured["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for what in ("cpu", "memory"):
        assert container["resources"]["requests"][what]
        assert container["resources"]["limits"][what]


def test_a_server_has_the_time_that_it_takes_to_end():
    from deepfake_lightning.serving import long_media

    spec, container = PODS["server"]["spec"], _container("server")
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    needed = pause + server.GRACE_SECONDS + long_media._GRACE_SECONDS
    assert spec["terminationGracePeriodSeconds"] > needed


def test_selectors_find_their_pods():
    for one in [*_of("Deployment"), *_of("PodDisruptionBudget")]:
        wanted = one["spec"]["selector"]["matchLabels"].items()
        assert any(wanted <= pod["metadata"]["labels"].items() for pod in PODS.values())
    for pod in PODS.values():
        (term,) = pod["spec"]["affinity"]["podAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        wanted = term["labelSelector"]["matchLabels"].items()
        assert all(wanted <= other["metadata"]["labels"].items() for other in PODS.values())


def test_the_image_is_that_of_this_program():
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert 'ENTRYPOINT ["deepfake-lightning"]' in last
    assert "HEALTHCHECK" not in last  # a dashboard or a training has no such page
    assert not re.search(r"^(?:RUN|COPY)(?!.*--from=build).*\b(?:gcc|pip|apt-get)\b", last, re.M)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines()
            if line.startswith("!")]  # fmt: skip
    assert sorted(name for line in copied for name in line.split()) == sorted(sent)
    assert all((ROOT / name).exists() for name in sent)


def test_the_version_is_the_programs():
    from deepfake_lightning import __version__

    (image,) = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["images"]
    assert image["newTag"] == __version__
    assert {_container(name)["image"] for name in PODS} == {image["name"]}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubernetes_takes_what_kustomize_builds():
    built = subprocess.run(
        ["kubectl", "kustomize", str(MANIFESTS)], capture_output=True, text=True, timeout=60
    )
    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    assert len(objects) == len(OBJECTS)
    assert {one["metadata"]["namespace"] for one in objects} == {"deepfake-lightning"}
    validate = pytest.importorskip("kubernetes_validate").validate  # has Kubernetes' schemas
    for one in objects:
        validate(one, "1.31", strict=True)
